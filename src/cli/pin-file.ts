import { closeSync, fsyncSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { localError } from './exit-codes.js';

/** A new file for a PIN, of the caller alone. It is made before the PIN is: a PIN that cannot be kept is not set. */
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
      writeSync(this.#descriptor, pin);
      fsyncSync(this.#descriptor);
      this.#isWritten = true;
    } catch (cause) {
      throw localError(
        `${this.#path} cannot be written; run the command again with another file while it is open`,
        cause,
      );
    }
  }

  /** Removes it if there was nothing to write. */
  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
    if (!this.#isWritten) unlinkSync(this.#path);
  }
}
