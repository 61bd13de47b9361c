import { inspect } from 'node:util';

/**
 * Bytes that must not leak: PINs, plaintexts, data keys (design invariant 11).
 * They cannot be printed, serialised or compared by accident; they are read with `reveal` and zeroed with `destroy`.
 */
export class Secret {
  readonly #bytes: Uint8Array;
  #destroyed = false;

  /** Takes ownership of `bytes`: nobody else may keep or change them. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  static fromUtf8(text: string): Secret {
    return new Secret(new TextEncoder().encode(text));
  }

  get byteLength(): number {
    return this.#bytes.byteLength;
  }

  get isDestroyed(): boolean {
    return this.#destroyed;
  }

  /** The bytes themselves, not a copy: valid until `destroy`. Throws after it, because zeroes would pass for a secret. */
  reveal(): Uint8Array {
    if (this.#destroyed) throw new Error('A secret was used after it was destroyed.');
    return this.#bytes;
  }

  /** Zeroes the bytes. Calling it twice is harmless. */
  destroy(): void {
    this.#bytes.fill(0);
    this.#destroyed = true;
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}
