import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Clock, delay } from '../clock.js';
import type { DiskStatus } from '../status/service-status.js';

/** A disk that is gone blocks without an error; whoever asks for metrics must still get the rest. */
const boundMs = 1_000;

/** What is asked about a file that may not be there yet: its folder's disk. */
interface StoredFile {
  holds: DiskStatus['holds'];
  path: string;
}

/** Asks the disks of some files how full they are, one question at a time for each. */
export class Disks {
  readonly #clock: Clock;
  readonly #files: readonly StoredFile[];
  readonly #asked = new Map<StoredFile, Promise<DiskStatus | undefined>>();

  constructor(clock: Clock, files: readonly StoredFile[]) {
    this.#clock = clock;
    this.#files = files;
  }

  /** Leaves out those that did not answer within a second, and those that say nothing, such as that of /dev/stdout. */
  async status(): Promise<DiskStatus[]> {
    const bound = new AbortController();
    const late = delay(this.#clock, boundMs, bound.signal).then(() => undefined);
    try {
      const found = await Promise.all(this.#files.map((file) => Promise.race([this.#ask(file), late])));
      return found.filter((disk) => disk !== undefined);
    } finally {
      bound.abort();
    }
  }

  /** A question that hangs holds one of libuv's four threads: not one more for each scrape. */
  #ask(file: StoredFile): Promise<DiskStatus | undefined> {
    const asked = this.#asked.get(file);
    if (asked !== undefined) return asked;
    const asking = diskOf(file).finally(() => this.#asked.delete(file));
    this.#asked.set(file, asking);
    return asking;
  }
}

async function diskOf({ holds, path }: StoredFile): Promise<DiskStatus | undefined> {
  const folder = dirname(path);
  try {
    const { bavail, blocks, bsize } = await statfs(folder);
    // A file system without blocks, such as devtmpfs may be, is never full.
    return blocks === 0 ? undefined : { holds, path: folder, freeBytes: bavail * bsize, sizeBytes: blocks * bsize };
  } catch {
    // The folder is gone: whoever writes there says so.
    return undefined;
  }
}
