/** Runs command lines of `holdfast` in this process, with a terminal that tests can read. */
import { tmpdir } from 'node:os';
import { PassThrough, Writable } from 'node:stream';
import { runCli } from '../../src/cli/program.js';
import type { Terminal } from '../../src/cli/terminal.js';

export interface Invocation {
  stdin?: string | Uint8Array;
  /** Whether stdin and stdout are terminals. */
  tty?: boolean;
  environment?: NodeJS.ProcessEnv;
  /** The working directory. */
  directory?: string;
  /** Called with each text on stderr, at once. */
  onStderr?: (text: string) => void;
}

export interface Outcome {
  exitCode: number;
  stdout: string;
  stdoutBytes: Buffer;
  stderr: string;
}

class Collector extends Writable {
  readonly chunks: Buffer[] = [];
  readonly #listener: ((text: string) => void) | undefined;
  isTTY = false;

  constructor(listener?: (text: string) => void) {
    super();
    this.#listener = listener;
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: () => void): void {
    this.chunks.push(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : Buffer.from(chunk));
    this.#listener?.(chunk.toString());
    done();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

/** Runs one command line to its end. */
export async function holdfast(argv: readonly string[], invocation: Invocation = {}): Promise<Outcome> {
  const tty = invocation.tty === true;
  const rawModes: boolean[] = [];
  const stdin = Object.assign(new PassThrough(), { isTTY: tty, setRawMode: (mode: boolean) => rawModes.push(mode) });
  const [stdout, stderr] = [new Collector(), new Collector(invocation.onStderr)];
  stdout.isTTY = tty;
  if (tty) stdin.write(invocation.stdin ?? '');
  else stdin.end(invocation.stdin ?? '');
  const { environment = {}, directory = tmpdir() } = invocation;
  const terminal: Terminal = { stdin, stdout, stderr, environment, directory };
  const exitCode = await runCli(argv, terminal);
  if (rawModes.at(-1) === true) throw new Error('the terminal was left without echo');
  return { exitCode, stdout: stdout.bytes.toString(), stdoutBytes: stdout.bytes, stderr: stderr.bytes.toString() };
}
