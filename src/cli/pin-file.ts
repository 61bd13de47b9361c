import { closeSync, fsyncSync, openSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { localError } from './exit-codes.js';

/** A new file for a PIN, of the caller alone. It is made before the PIN is: where no file can be made, no PIN is set. */
export class PinFile implements Disposable {
  readonly #path: string;
  readonly #descriptor: number;
  #isWritten = false;

  /** @throws CliError if it exists already, or cannot be made */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#descriptor = openSync(path, 'wx', 0o600);
    } catch (cause) {
      throw localError(`${path} cannot be made: it must not exist, and its folder must be writable`, cause);
    }
  }

  /** On disk when this returns. @throws CliError */
  write(pin: Uint8Array): void {
    try {
      // All of it: one write may take a part.
      writeFileSync(this.#descriptor, pin);
      fsyncSync(this.#descriptor);
      syncFolder(dirname(this.#path));
      this.#isWritten = true;
    } catch (cause) {
      const message = `${this.#path} cannot be written: the PIN was changed, and only the catalog has it`;
      throw localError(message, cause, 'run the command again with another file: it sets another PIN, and keeps that');
    }
  }

  /** Removes it if there was nothing to write. */
  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
    if (!this.#isWritten) unlinkSync(this.#path);
  }
}

/** Without that a power cut may lose the name of a new file. */
function syncFolder(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
