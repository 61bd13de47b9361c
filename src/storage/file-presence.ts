import { statSync } from 'node:fs';

/**
 * Whether a database that is open is still the one that its path names. After `rm`, `mv` or a copy over it SQLite goes on
 * in the file that nothing names any more, and what is committed there is gone with the process.
 */
export class FilePresence {
  readonly #files: readonly { path: string; identity: string }[];

  /** @param file of a database that is open and in its write-ahead log, so that all its files exist */
  constructor(file: string) {
    const paths = [file, `${file}-wal`];
    this.#files = paths.map((path) => ({ path, identity: identityOf(path) }));
  }

  /** @throws Error that names the file that was removed or replaced */
  require(): void {
    for (const { path, identity } of this.#files) {
      if (identityOf(path) === identity) continue;
      throw new Error(`${path} was removed or replaced while it was in use: nothing that is written there lasts.`);
    }
  }
}

/** Takes about 2 µs. */
function identityOf(path: string): string {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? 'none' : `${found.dev}:${found.ino}`;
}
