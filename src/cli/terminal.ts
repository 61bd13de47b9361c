import type { Readable, Writable } from 'node:stream';

/** What a command sees of the process around it, so that tests can give it another one. */
export interface Terminal {
  stdin: Readable & { isTTY?: boolean | undefined; setRawMode?: (mode: boolean) => unknown };
  stdout: Writable & { isTTY?: boolean | undefined };
  stderr: Writable & { isTTY?: boolean | undefined };
  environment: NodeJS.ProcessEnv;
  /** Where the default profile is looked for. */
  directory: string;
}

/** The real one. A reader that went away (`holdfast key list | head -1`) ends no command with a stack trace. */
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

/** Writes all of `data`; resolves when the stream took it. A reader that went away (EPIPE) is no error of ours. */
export function write(stream: Writable, data: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(data, (error) => {
      if (error === null || error === undefined || ('code' in error && error.code === 'EPIPE')) resolve();
      else reject(error);
    });
  });
}

/** One line. */
export function writeLine(stream: Writable, line: string): Promise<void> {
  return write(stream, `${line}\n`);
}
