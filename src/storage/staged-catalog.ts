import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import Sqlite from 'better-sqlite3';
import type { Clock } from '../clock.js';
import { type CatalogOwner, catalogProblem, placeProblem, requireNone } from './catalog-problem.js';
import { type CatalogUse, claimCatalog } from './catalog-use.js';
import { createSqliteCatalog } from './create-catalog.js';
import { CatalogOpenError } from './database.js';
import { requireOwnSchema } from './own-schema.js';
import { prepareRestored, type RestoredCatalog } from './restore-catalog.js';

const busyTimeoutMs = 1_000;

/** A row of the attempts to log in: a refused PIN stays refused in the next attempt to restore. */
type AttemptRow = Record<string, string | number | null>;

/**
 * A catalog from a backup, beside its place until the backup has proved itself. It keeps what a restore before it, which
 * failed, learned of refused PINs. While it is there, no server starts on the catalog of that place.
 */
export class StagedCatalog {
  /** The path of the staged file. */
  readonly path: string;
  readonly #target: string;
  readonly #claim: CatalogUse;
  /** The refused PINs of the restores before. Written before anything is removed, and kept until one has succeeded. */
  readonly #memory: string;

  private constructor(target: string, claim: CatalogUse) {
    this.#target = target;
    this.#claim = claim;
    this.path = `${target}.restoring`;
    this.#memory = `${target}.restoring-logins`;
    this.#remember();
  }

  /** Claims the place. @throws CatalogOpenError if there is a catalog already, or a process uses one of that name */
  static claim(catalogPath: string): StagedCatalog {
    const target = resolve(catalogPath);
    requireNone(placeProblem(target));
    return new StagedCatalog(target, claimCatalog(target));
  }

  /** Makes an empty catalog that knows the refused PINs: HSMs can be opened with it before the archive's is read. */
  async makeEmpty(clock: Clock): Promise<void> {
    this.remove();
    await createSqliteCatalog(this.path, clock);
    this.#keepAttempts();
  }

  /**
   * Writes the catalog of an archive, and makes it fit to be used.
   * @throws CatalogOpenError if it is broken, another owner's, or not as Holdfast makes one
   */
  async fill(
    chunks: AsyncIterable<Uint8Array>,
    { owner, clock }: { owner: CatalogOwner; clock: Clock },
  ): Promise<RestoredCatalog> {
    await this.#write(chunks);
    await requireOwnSchema(this.path, clock, 'the archive');
    requireNone(catalogProblem(this.path, owner, busyTimeoutMs));
    const restored = await prepareRestored(this.path, clock);
    this.#keepAttempts();
    return restored;
  }

  /** Gives it its place. @throws CatalogOpenError if something is there by now */
  publish(): void {
    try {
      linkSync(this.path, this.#target);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
      throw new CatalogOpenError(`There is something at ${this.#target}, and nothing was changed.`, { cause });
    }
    sync(this.#target);
    sync(dirname(this.#target));
    this.remove();
    rmSync(this.#memory, { force: true });
  }

  /** Removes the staged file, but for what it knows of refused PINs. */
  remove(): void {
    this.#remember();
    for (const end of ['', '-wal', '-shm', '-journal', '-lock']) rmSync(this.path + end, { force: true });
  }

  /** Lets others use the place again. Harmless when repeated. */
  close(): void {
    this.#claim.release();
  }

  #remember(): void {
    const attempts = attemptsIn(this.path);
    if (attempts.length === 0) return;
    writeFileSync(`${this.#memory}.new`, JSON.stringify(attempts), { mode: 0o600, flush: true });
    renameSync(`${this.#memory}.new`, this.#memory);
  }

  async #write(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    this.remove();
    const descriptor = openSync(this.path, 'wx', 0o600);
    try {
      for await (const chunk of chunks)
        for (let written = 0; written < chunk.byteLength; ) written += writeSync(descriptor, chunk, written);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }

  #keepAttempts(): void {
    if (!existsSync(this.#memory)) return;
    const attempts = JSON.parse(readFileSync(this.#memory, 'utf8')) as AttemptRow[];
    const connection = new Sqlite(this.path, { fileMustExist: true });
    try {
      for (const attempt of attempts) {
        const columns = Object.keys(attempt);
        const values = columns.map((column) => `@${column}`).join(', ');
        connection
          .prepare(`insert or replace into login_attempts (${columns.join(', ')}) values (${values})`)
          .run(attempt);
      }
    } finally {
      connection.close();
    }
  }
}

/** None if there was no restore before, or it did not come so far. */
function attemptsIn(path: string): AttemptRow[] {
  if (!existsSync(path)) return [];
  const connection = new Sqlite(path, { readonly: true });
  try {
    return connection.prepare<[], AttemptRow>('select * from login_attempts').all();
  } catch (error) {
    if (error instanceof Sqlite.SqliteError) return [];
    throw error;
  } finally {
    connection.close();
  }
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
