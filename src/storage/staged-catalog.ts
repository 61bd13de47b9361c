import { closeSync, fsyncSync, lstatSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Clock } from '../clock.js';
import { type CatalogOwner, catalogProblem, openError, placeProblem, requireNone } from './catalog-problem.js';
import { type CatalogUse, claimCatalog } from './catalog-use.js';
import { createSqliteCatalog } from './create-catalog.js';
import { CatalogOpenError } from './database.js';
import { requireOwnSchema } from './own-schema.js';
import { giveName, sync } from './partial-file.js';
import { RememberedLogins } from './remembered-logins.js';
import { prepareRestored, type RestoredCatalog } from './restore-catalog.js';
import { applicationId } from './sqlite-connection.js';

const busyTimeoutMs = 1_000;

/** SQLite's file format: the header string, and the application id after it. */
const header = { start: 'SQLite format 3\0', applicationIdOffset: 68, bytes: 72 };

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
  readonly #logins: RememberedLogins;

  private constructor(target: string, claim: CatalogUse) {
    this.#target = target;
    this.#claim = claim;
    this.path = `${target}.restoring`;
    this.#logins = new RememberedLogins(`${target}.restoring-logins`);
  }

  /**
   * Claims the place.
   * @throws CatalogOpenError if there is a catalog already, a process uses one of that name, or what is at the place of the staged
   *   file is of no restore: it is left as it is
   */
  static claim(catalogPath: string): StagedCatalog {
    const target = resolve(catalogPath);
    requireNone(placeProblem(target));
    const staged = new StagedCatalog(target, claimCatalog(target));
    try {
      staged.#explained(() => {
        requireOurs(staged.path);
        staged.#logins.takeFrom(staged.path);
      });
      return staged;
    } catch (error) {
      staged.close();
      throw error;
    }
  }

  /** Makes an empty catalog that knows the refused PINs: HSMs can be opened with it before the archive's is read. */
  makeEmpty(clock: Clock): Promise<void> {
    return this.#orRemoved(async () => {
      this.remove();
      await createSqliteCatalog(this.path, clock);
      this.#logins.putInto(this.path);
    });
  }

  /**
   * Writes the catalog of an archive, and makes it fit to be used.
   * @throws CatalogOpenError if it is broken, another owner's, or not as Holdfast makes one, or there is no room for it
   */
  fill(
    chunks: AsyncIterable<Uint8Array>,
    { owner, clock }: { owner: CatalogOwner; clock: Clock },
  ): Promise<RestoredCatalog> {
    return this.#orRemoved(async () => {
      this.remove();
      await write(this.path, chunks);
      await requireOwnSchema(this.path, clock, 'the archive');
      requireNone(catalogProblem(this.path, owner, busyTimeoutMs));
      const restored = await prepareRestored(this.path, clock);
      this.#logins.putInto(this.path);
      return restored;
    });
  }

  /** Gives it its place. @throws CatalogOpenError if something is there by now */
  publish(): void {
    this.#explained(() => {
      if (!giveName(this.path, this.#target))
        throw new CatalogOpenError(`There is something at ${this.#target}, and nothing was changed.`);
      sync(this.#target);
      sync(dirname(this.#target));
      this.remove();
      this.#logins.forget();
    });
  }

  /** Removes the staged file, but for what it knows of refused PINs. */
  remove(): void {
    this.#explained(() => {
      this.#logins.takeFrom(this.path);
      this.#discard();
    });
  }

  /** Lets others use the place again. Harmless when repeated. */
  close(): void {
    this.#claim.release();
  }

  /** What an archive brought is removed when it is refused: it may be anything, and as large as the disk. */
  async #orRemoved<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.#discard();
      throw openError(this.path, error);
    }
  }

  #discard(): void {
    for (const name of filesOf(this.path)) rmSync(name, { force: true });
  }

  #explained(work: () => void): void {
    try {
      work();
    } catch (error) {
      throw openError(this.path, error);
    }
  }
}

/** The file, and those that SQLite and the lock add. */
function filesOf(path: string): string[] {
  return ['', '-wal', '-shm', '-journal', '-lock'].map((end) => path + end);
}

async function write(path: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const descriptor = openSync(path, 'wx', 0o600);
  try {
    for await (const chunk of chunks)
      for (let written = 0; written < chunk.byteLength; ) written += writeSync(descriptor, chunk, written);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** A restore that was ended leaves a catalog there, or the beginning of one. Anything else is not ours to read or to remove. */
function requireOurs(path: string): void {
  const [found, ...beside] = filesOf(path).map((name) => lstatSync(name, { throwIfNoEntry: false }));
  const isFree = beside.every((other) => other === undefined || other.isFile());
  if (isFree && (found === undefined || (found.isFile() && isCatalog(path, found.size)))) return;
  throw new CatalogOpenError(
    `There is something at ${path}, or beside it, where a restore keeps the catalog of the archive, and it is of no restore. Nothing was changed. Move it away.`,
  );
}

function isCatalog(path: string, size: number): boolean {
  const bytes = Buffer.alloc(Math.min(size, header.bytes));
  const descriptor = openSync(path, 'r');
  try {
    readSync(descriptor, bytes, 0, bytes.length, 0);
  } finally {
    closeSync(descriptor);
  }
  const start = bytes.toString('latin1', 0, header.start.length);
  if (bytes.length < header.bytes) return header.start.startsWith(start);
  return start === header.start && bytes.readUInt32BE(header.applicationIdOffset) === applicationId;
}
