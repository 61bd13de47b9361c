import { spawnSync } from 'node:child_process';
import { startProcess } from './processes.js';

export interface ProgramRun {
  program: string;
  parameters: readonly string[];
  /** Added to this process's environment. */
  environment?: NodeJS.ProcessEnv;
  /** Written to its standard input. */
  input?: string;
}

/** Runs a program and resolves with its stdout. Rejects with its last lines if it fails. */
export function runProgram({ program, parameters, environment, input }: ProgramRun): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = startProcess(program, parameters, { env: { ...process.env, ...environment } });
    const [output, errors] = [collect(child.stdout), collect(child.stderr)];
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(output());
      else reject(new Error(`${program} ended with ${code}: ${`${output()}\n${errors()}`.trim().slice(-1000)}`));
    });
    child.stdin?.end(input ?? '');
  });
}

/** Whether the program can be started at all. */
export function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version']).error === undefined;
}

/** The output of a stream so far, at the time of the call. */
export function collect(stream: NodeJS.ReadableStream | null): () => string {
  const chunks: Buffer[] = [];
  stream?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString('utf8');
}
