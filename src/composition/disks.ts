import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Clock, delay } from '../clock.js';
import type { DiskStatus } from '../status/service-status.js';

/** A lost disk blocks without an error; a scrape of metrics must still get the rest. */
const boundMs = 1_000;

/** A file that may not exist yet: its folder's disk is examined. */
interface StoredFile {
  holds: DiskStatus['holds'];
  path: string;
}

/** Asks the disks of some files how full they are, with at most one query in flight for each. */
export class Disks {
  readonly #clock: Clock;
  readonly #files: readonly StoredFile[];
  readonly #asked = new Map<StoredFile, Promise<DiskStatus | undefined>>();

  constructor(clock: Clock, files: readonly StoredFile[]) {
    this.#clock = clock;
    this.#files = files;
  }

  /** Leaves out disks that did not answer within a second, and those without an answer, such as that of /dev/stdout. */
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

  /** A hanging query holds one of libuv's four threads: each scrape must not take another one. */
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
    // The folder is missing: the code that writes there reports that.
    return undefined;
  }
}
