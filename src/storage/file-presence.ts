import { statSync } from 'node:fs';

/**
 * Whether a database that is open is still the one that its path names, and whole. After `rm`, `mv` or a copy over it SQLite goes on
 * in the file that nothing names any more, and what is committed there is gone with the process; and it goes on from
 * memory after a file was cut off, which the next start finds damaged.
 */
export class FilePresence {
  readonly #files: { path: string; identity: string; bytes: bigint }[];
  readonly #damage: () => string | undefined;

  /**
   * @param file of a database that is open and in its write-ahead log, so that all its files exist
   * @param damage reads the whole database: asked when a file became shorter, as it also does by VACUUM and by a
   *   checkpoint that another program asks for
   */
  constructor(file: string, damage: () => string | undefined) {
    // Without the index (-shm) the next process makes one of its own, and the two do not see each other's locks.
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
