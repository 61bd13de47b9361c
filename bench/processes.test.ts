import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startProcess, whenReady } from './processes.js';
import { collect } from './program.js';
import { typescriptHooks, withoutHooks } from './typescript-child.js';

const forever = new Promise<never>(() => undefined);

function node(script: string) {
  return startProcess(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
}

test('waits for a process that is ready in time', async () => {
  const child = node('console.log(42); setInterval(() => {}, 1000)');
  const line = await whenReady('A server', once(child.stdout ?? child, 'data'), () => '', child);
  expect(String(line)).toContain('42');
  child.kill('SIGKILL');
});

test('the wait for a process that never serves ends', async () => {
  const child = node('setInterval(() => {}, 1000)');
  const ready = whenReady('A server', forever, () => 'what it wrote', child, 50);
  await expect(ready).rejects.toThrow('A server was not ready within 0.05 s: what it wrote');
  child.kill('SIGKILL');
});

test('a process that ends before it serves is reported with its output', async () => {
  const child = node('console.error("no such token"); process.exit(3)');
  const ready = whenReady('A server', forever, collect(child.stderr), child);
  await expect(ready).rejects.toThrow('A server ended with 3 before it was ready: no such token');
});

/** Commands that print the id of a process that goes on: their own, and that of one that they started. */
const itself = 'echo $$; exec sleep 1000';
const child = 'sleep 1000 & echo $!; wait';

test.each([
  ['throw new Error()', itself, false],
  ['process.kill(process.pid, "SIGINT")', itself, false],
  ['process.kill(process.pid, "SIGHUP")', itself, false],
  ['process.kill(process.pid, "SIGTERM")', child, true],
])('a bench that ends by %s leaves no process behind: %s', async (end, command, detached) => {
  const processes = JSON.stringify(new URL('processes.ts', import.meta.url).href);
  const script = `
      import { startProcess, exitOnSignals } from ${processes};
      exitOnSignals();
      const options = { stdio: ['ignore', 'pipe', 'ignore'], detached: ${String(detached)} };
      const child = startProcess('sh', ['-c', ${JSON.stringify(command)}], options);
      child.stdout.once('data', (line) => process.stdout.write(line, () => setTimeout(() => { ${end} })));
      setInterval(() => {}, 1000);`;
  const bench = startProcess(process.execPath, ['--import', typescriptHooks, '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: withoutHooks(),
    cwd: fileURLToPath(new URL('..', import.meta.url)),
  });
  const output = collect(bench.stdout);
  await once(bench, 'close');
  const pid = Number(output());
  expect(pid).toBeGreaterThan(0);
  await expect.poll(() => isAlive(pid), { timeout: 10_000 }).toBe(false);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
