import { ArchiveRefusal } from './refusal.js';

/** Hands out exact numbers of bytes from chunks of any size. Holds one chunk more than it was asked for. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next bytes. The caller has bounded the number. @throws ArchiveRefusal if there are fewer */
  async take(lengthBytes: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (let lacking = lengthBytes; lacking > 0; ) {
      if (!(await this.#fill())) throw new ArchiveRefusal('truncated', 'The archive ends in the middle.');
      const part = this.#rest.subarray(0, lacking);
      this.#rest = this.#rest.subarray(part.length);
      parts.push(part);
      lacking -= part.length;
    }
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  }

  /** Whether there are no more bytes. */
  async isAtEnd(): Promise<boolean> {
    return !(await this.#fill());
  }

  /** Ends the source early, which closes a file behind it. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #fill(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const next = await this.#chunks.next();
      if (next.done === true) return false;
      this.#rest = next.value;
    }
    return true;
  }
}
