import { statSync } from 'node:fs';

/**
 * Whether an open database is still the file at its path, and complete. After `rm`, `mv` or a copy over it SQLite
 * continues in the unnamed file, and its commits are lost with the process. After a file was cut off it continues from
 * memory, and the next start finds the file damaged.
 */
export class FilePresence {
  readonly #files: { path: string; identity: string; bytes: bigint }[];
  readonly #damage: () => string | undefined;

  /**
   * @param file of an open database in write-ahead mode: all its files exist
   * @param damage reads the whole database: called when a file became shorter, which VACUUM and a checkpoint of another
   * program cause too
   */
  constructor(file: string, damage: () => string | undefined) {
    // Without the index (-shm) the next process creates one of its own, and the two do not see each other's locks.
    const paths = [file, `${file}-wal`, `${file}-shm`];
    this.#files = paths.map((path) => ({ path, ...look(path) }));
    this.#damage = damage;
  }

  /** @throws Error that names the file that was removed, replaced or cut off */
  require(): void {
    for (const file of this.#files) {
      const { identity, bytes } = look(file.path);
      if (identity !== file.identity)
        throw new Error(
          `${file.path} was removed or replaced while it was in use: nothing that is written there lasts.`,
        );
      if (bytes < file.bytes) this.#requireUndamaged(file.path);
      file.bytes = bytes;
    }
  }

  #requireUndamaged(path: string): void {
    const damage = this.#damage();
    if (damage === undefined) return;
    throw new Error(`${path} was cut off while it was in use: nothing that is written there lasts. ${damage}`);
  }
}

/** Takes about 2 µs. */
function look(path: string): { identity: string; bytes: bigint } {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (found === undefined) return { identity: 'none', bytes: 0n };
  return { identity: `${found.dev}:${found.ino}`, bytes: found.size };
}
