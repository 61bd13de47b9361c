import { spawnSync } from 'node:child_process';
import { startProcess } from './processes.js';

export interface ProgramRun {
  program: string;
  parameters: readonly string[];
  /** Variables added to this process's environment. */
  environment?: NodeJS.ProcessEnv;
  /** The text for its standard input. A program that ends without reading it has not failed for that. */
  input?: string;
  /** Its working directory; default: this process's. */
  folder?: string;
  /** Whether it is ended together with all that it starts: builds start compilers. */
  ownGroup?: boolean;
}

/** How much of a program's output an error repeats, in characters. */
const tailLength = 1000;

/** A program that could not be run, failed, or printed something other than its result. The message has its last lines. */
export class ProgramFailure extends Error {
  /** @param how continues the sentence that begins with the program's name */
  constructor(program: string, how: string, output: string) {
    super(`${program} ${how}: ${output.trim().slice(-tailLength)}`);
  }
}

/**
 * Runs a program and resolves with its stdout.
 * @throws ProgramFailure unless it ends with 0
 */
export function runProgram(run: ProgramRun): Promise<string> {
  const { program, parameters, environment, input, folder, ownGroup } = run;
  return new Promise((resolve, reject) => {
    const child = startProcess(program, parameters, {
      env: { ...process.env, ...environment },
      cwd: folder,
      detached: ownGroup ?? false,
    });
    const [output, errors] = [collect(child.stdout), collect(child.stderr)];
    child.on('error', ({ message }) => reject(new ProgramFailure(program, 'cannot be run', message)));
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output());
      else reject(new ProgramFailure(program, `ended with ${code ?? signal}`, `${output()}\n${errors()}`));
    });
    // Without a listener, a program that has closed its input (EPIPE) would end the bench.
    child.stdin?.on('error', () => undefined);
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
