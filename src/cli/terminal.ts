import type { Readable, Writable } from 'node:stream';
import { printable, printableJson } from '../printable.js';
import { localError } from './exit-codes.js';

/** The process around a command. Tests substitute it. */
export interface Terminal {
  stdin: Readable & { isTTY?: boolean | undefined; setRawMode?: (mode: boolean) => unknown };
  stdout: Writable & { isTTY?: boolean | undefined };
  stderr: Writable & { isTTY?: boolean | undefined };
  environment: NodeJS.ProcessEnv;
  /** The folder that is searched for the default profile. */
  directory: string;
}

/**
 * The real process. A reader that went away (`holdfast key list | head -1`), or a full disk behind stdout, does not end a command
 * with a stack trace: whoever writes is told, too.
 */
export function processTerminal(): Terminal {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', () => undefined);
  }
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    directory: process.cwd(),
  };
}

/**
 * Writes all of `data`; resolves when the stream has taken it. A reader that went away (EPIPE) is not an error.
 * @throws CliError if the stream does not take it: behind it is a full disk
 */
export function write(stream: Writable, data: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(data, (error) => {
      if (error === null || error === undefined || ('code' in error && error.code === 'EPIPE')) resolve();
      else reject(localError(`the output cannot be written: ${error.message}`, error));
    });
  });
}

/** As `write`, and a reader that went away is an error too: what was written is of no use in part. */
export function writeWhole(stream: Writable, data: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(data, (error) => {
      if (error === null || error === undefined) resolve();
      else reject(error);
    });
  });
}

/** Writes one line, whatever the text contains. All text for people is escaped like this. */
export function writeLine(stream: Writable, line: string): Promise<void> {
  return write(stream, `${printable(line)}\n`);
}

/** Writes several lines at once. */
export function writeLines(stream: Writable, lines: readonly string[]): Promise<void> {
  return write(stream, lines.map((line) => `${printable(line)}\n`).join(''));
}

/** Writes a text with our own line breaks, such as a page of help. */
export function writeText(stream: Writable, text: string): Promise<void> {
  return write(stream, text.split('\n').map(printable).join('\n'));
}

/** Writes JSON that people and programs can read. */
export function writeJson(stream: Writable, value: unknown): Promise<void> {
  return writeLines(stream, printableJson(value));
}
