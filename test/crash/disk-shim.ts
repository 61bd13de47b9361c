/** A process's writes to disk, behind a library (`test/disk-shim`) that counts them, kills at one, or is out of space. */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Built beside the addon. */
const library = fileURLToPath(new URL('../../native/build/Release/disk-shim.so', import.meta.url));

/** What happens at a call, in the order of `Action` in `test/disk-shim/page.h`. */
export const diskActions = ['none', 'die', 'die-after', 'no-space'] as const;
export type DiskAction = (typeof diskActions)[number];

/** One call. `name` is the function and the file, with `*` for what differs from run to run. */
export interface DiskCall {
  readonly number: number;
  readonly name: string;
  readonly startMs: number;
}

// The layout of `Page`: five words, a name, and the rows of the trace.
const wordBytes = 8;
const nameBytes = 112;
const words = ['calls', 'action', 'after', 'times', 'met'] as const;
type Word = (typeof words)[number];
const nameOffset = words.length * wordBytes;
const traceOffset = nameOffset + nameBytes;
const rowBytes = 2 * wordBytes + nameBytes;
const traceRows = 8192;

export class DiskShim {
  readonly #folder = mkdtempSync(join(tmpdir(), 'holdfast-disk-'));
  readonly #paths: readonly string[];

  /** @param paths how the absolute paths begin that are watched */
  constructor(paths: readonly string[]) {
    this.#paths = paths;
    writeFileSync(this.#page, '');
    truncateSync(this.#page, traceOffset + traceRows * rowBytes);
  }

  /** For processes whose writes are watched. */
  get environment(): Record<string, string> {
    const paths = this.#paths.join(':');
    return { LD_PRELOAD: library, HOLDFAST_DISK_SHIM: this.#folder, HOLDFAST_DISK_SHIM_PATHS: paths };
  }

  /** Calls of all processes up to now. */
  returned(): number {
    return Number(this.#read('calls'));
  }

  /** The last 8,192 calls, oldest first. */
  trace(): DiskCall[] {
    const table = this.#bytes(traceOffset, traceRows * rowBytes);
    const calls: DiskCall[] = [];
    for (let offset = 0; offset < table.length; offset += rowBytes) {
      const number = Number(table.readBigUInt64LE(offset));
      if (number === 0) continue;
      const startMs = Number(table.readBigUInt64LE(offset + wordBytes)) / 1e6;
      const name = table.toString('utf8', offset + 2 * wordBytes, offset + rowBytes).replace(/\0.*$/s, '');
      calls.push({ number, name, startMs });
    }
    return calls.sort((one, other) => one.number - other.number);
  }

  /** From now on `after` calls of the name go through, and the next `times` meet the action. */
  obey(name: string, action: DiskAction, { after = 0, times = 1 } = {}): void {
    this.#write('action', 0);
    const bytes = Buffer.alloc(nameBytes);
    bytes.write(name);
    this.#put(nameOffset, bytes);
    this.#write('met', 0);
    this.#write('after', after);
    this.#write('times', times);
    this.#write('action', diskActions.indexOf(action));
  }

  /** Everything goes through again. */
  heal(): void {
    this.#write('action', 0);
  }

  dispose(): void {
    rmSync(this.#folder, { recursive: true });
  }

  get #page(): string {
    return join(this.#folder, 'page');
  }

  #read(word: Word): bigint {
    return this.#bytes(words.indexOf(word) * wordBytes, wordBytes).readBigUInt64LE();
  }

  #write(word: Word, value: number): void {
    const bytes = Buffer.alloc(wordBytes);
    bytes.writeBigUInt64LE(BigInt(value));
    this.#put(words.indexOf(word) * wordBytes, bytes);
  }

  #bytes(offset: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    const file = openSync(this.#page, 'r');
    try {
      readSync(file, bytes, 0, length, offset);
    } finally {
      closeSync(file);
    }
    return bytes;
  }

  #put(offset: number, bytes: Buffer): void {
    const file = openSync(this.#page, 'r+');
    try {
      writeSync(file, bytes, 0, bytes.length, offset);
    } finally {
      closeSync(file);
    }
  }
}
