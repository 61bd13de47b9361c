import type { Readable, Writable } from 'node:stream';
import { printable, printableJson } from '../printable.js';

/** The process around a command. Tests substitute it. */
export interface Terminal {
  stdin: Readable & { isTTY?: boolean | undefined; setRawMode?: (mode: boolean) => unknown };
  stdout: Writable & { isTTY?: boolean | undefined };
  stderr: Writable & { isTTY?: boolean | undefined };
  environment: NodeJS.ProcessEnv;
  /** The folder in which the default profile is searched. */
  directory: string;
}

/** The real one. A reader that went away (`holdfast key list | head -1`) does not end a command with a stack trace. */
export function processTerminal(): Terminal {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    directory: process.cwd(),
  };
}

/** Writes all of `data`; resolves when the stream has taken it. A reader that went away (EPIPE) is not an error. */
export function write(stream: Writable, data: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(data, (error) => {
      if (error === null || error === undefined || ('code' in error && error.code === 'EPIPE')) resolve();
      else reject(error);
    });
  });
}

/** One line, whatever it contains: every text that the command prints passes through here. */
export function writeLine(stream: Writable, line: string): Promise<void> {
  return write(stream, `${printable(line)}\n`);
}

/** Several lines, in one write. */
export function writeLines(stream: Writable, lines: readonly string[]): Promise<void> {
  return write(stream, lines.map((line) => `${printable(line)}\n`).join(''));
}

/** A text with our own line breaks, such as a page of help. */
export function writeText(stream: Writable, text: string): Promise<void> {
  return write(stream, text.split('\n').map(printable).join('\n'));
}

/** JSON for both people and programs. */
export function writeJson(stream: Writable, value: unknown): Promise<void> {
  return writeLines(stream, printableJson(value));
}
