import { inspect } from 'node:util';

/**
 * V8 keeps shorter typed arrays on its own heap (`--typed-array-max-size-in-heap`). The collector moves them there, and
 * the addon's first access moves them away; either leaves a copy behind that nothing zeroes.
 */
const maxBytesOnHeap = 64;

/**
 * Bytes that must not leak: PINs, plaintexts, data keys (invariant 11).
 * They cannot be printed, serialised or compared by accident; they are read with `reveal` and zeroed with `destroy`.
 */
export class Secret {
  #memory: SharedBytes;
  #destroyed = false;

  /**
   * Takes ownership of `bytes`: no other code may keep or use them. Short ones are moved, and the original is zeroed.
   */
  constructor(bytes: Uint8Array) {
    this.#memory = { bytes: moveOffHeap(bytes), holders: 1 };
  }

  /** Moves the bytes out of a buffer that will hold others: they are copied, and zeroed there. */
  static movedFrom(bytes: Uint8Array): Secret {
    const secret = new Secret(nothing);
    secret.#memory = { bytes: moveAway(bytes), holders: 1 };
    return secret;
  }

  static fromUtf8(text: string): Secret {
    return new Secret(new TextEncoder().encode(text));
  }

  get byteLength(): number {
    return this.#memory.bytes.byteLength;
  }

  get isDestroyed(): boolean {
    return this.#destroyed;
  }

  /**
   * The bytes themselves, not a copy: valid until `destroy`. Throws afterwards, because zeroes would pass for a secret.
   */
  reveal(): Uint8Array {
    if (this.#destroyed) throw new Error('A secret was used after it was destroyed.');
    return this.#memory.bytes;
  }

  /** Shares the bytes with one more holder, without copying: they are zeroed when all holders have destroyed theirs. */
  share(): Secret {
    if (this.#destroyed) throw new Error('A secret was shared after it was destroyed.');
    const shared = new Secret(nothing);
    shared.#memory = this.#memory;
    this.#memory.holders += 1;
    return shared;
  }

  /** Gives the bytes up, and zeroes them unless another holder shares them. Idempotent. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#memory.holders -= 1;
    if (this.#memory.holders === 0) this.#memory.bytes.fill(0);
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

/** Destroys the secrets among the fields of a request or response; not those of nested objects. */
export function destroySecretsIn(fields: object = {}): void {
  for (const value of Object.values(fields)) if (value instanceof Secret) value.destroy();
}

interface SharedBytes {
  readonly bytes: Uint8Array;
  /** The number of holders that have not destroyed theirs. */
  holders: number;
}

const nothing = new Uint8Array();

/**
 * Moves bytes out of the reach of V8's collector, if they are so short that V8 may have them on its own heap. The
 * original is then zeroed.
 */
export function moveOffHeap(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength > maxBytesOnHeap ? bytes : moveAway(bytes);
}

/** Moves the bytes to new memory. It is never on V8's heap, because the `ArrayBuffer` is made first. */
function moveAway(bytes: Uint8Array): Uint8Array {
  const moved = new Uint8Array(new ArrayBuffer(bytes.byteLength));
  moved.set(bytes);
  bytes.fill(0);
  return moved;
}
