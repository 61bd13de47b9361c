import { expect, test } from 'vitest';
import { ProgramFailure, runProgram } from './program.js';

const node = (script: string, input = '') =>
  runProgram({ program: process.execPath, parameters: ['-e', script], input });

test('a program gives its output', async () => {
  expect(await node('process.stdin.pipe(process.stdout)', 'as it was given')).toBe('as it was given');
});

/** An input longer than a pipe holds: the rest can never be written. */
const unread = 'x'.repeat(1_000_000);

test('a program that ends early, with its input unread, is a failure with the end of its output', async () => {
  const failed = node(
    'process.stdout.write("y".repeat(5000)); console.error("no connection"); process.exitCode = 3',
    unread,
  );
  await expect(failed).rejects.toThrow(ProgramFailure);
  await expect(failed).rejects.toThrow(/ended with 3: y{900,}\nno connection$/);
});

test('a program that ends well without reading its input has not failed', async () => {
  expect(await node('console.log("enough")', unread)).toBe('enough\n');
});

test('a program that a signal ends is reported with the signal', async () => {
  await expect(node('process.kill(process.pid, "SIGKILL")')).rejects.toThrow('ended with SIGKILL');
});

test('a program that cannot be run is a failure', async () => {
  const run = runProgram({ program: '/nowhere/h2load', parameters: [], input: unread });
  await expect(run).rejects.toThrow(ProgramFailure);
});
