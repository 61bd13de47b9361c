import { lstatSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import Sqlite from 'better-sqlite3';
import { catalogProblem, openError, requireNone } from './catalog-problem.js';
import { CatalogOpenError } from './database.js';
import { PartialFile } from './partial-file.js';
import { openConnection } from './sqlite-connection.js';

/** What a copy of a catalog holds. */
export interface CatalogContent {
  bytes: number;
  /** Tombstones left out. */
  keys: number;
  schemaVersion: number;
  incarnationId: string;
}

/** Told of how far a copy is, from 0 to 1. */
export type ProgressListener = (share: number) => void;

const busyTimeoutMs = 5_000;
/** A mebibyte of SQLite's pages: between two steps the listener is told. */
const pagesPerStep = 256;

/**
 * Copies a catalog to a file of its own while it may be in use, as it is at one moment. The file (0600) appears whole and
 * checked, or not at all, and replaces nothing.
 * @throws CatalogOpenError
 */
export async function backupCatalog(
  source: string,
  target: string,
  onProgress: ProgressListener,
): Promise<CatalogContent> {
  const [from, to] = [resolve(source), resolve(target)];
  if (isTaken(to)) throw occupied(to);
  requireNone(catalogProblem(from));
  return withPartial(to, async (partial) => {
    await copy(from, partial.path, onProgress);
    const content = await finish(partial.path);
    if (!partial.publish()) throw occupied(to);
    return content;
  });
}

/** Whether something has that name. @throws CatalogOpenError when it cannot be looked at */
export function isTaken(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw openError(path, error);
  }
}

/** Work on a partial file, which is gone afterwards; errors of SQLite and the system become those of an operator. */
export async function withPartial<T>(target: string, work: (partial: PartialFile) => Promise<T>): Promise<T> {
  let partial: PartialFile | undefined;
  try {
    partial = new PartialFile(target);
    return await work(partial);
  } catch (thrown) {
    throw openError(target, thrown);
  } finally {
    partial?.discard();
  }
}

/** The read transaction pins one moment: without it SQLite begins the copy anew whenever another process writes. */
async function copy(from: string, to: string, onProgress: ProgressListener): Promise<void> {
  const connection = openConnection(from, busyTimeoutMs);
  try {
    connection.exec('begin');
    connection.prepare('select count(*) from sqlite_schema').get();
    await connection.backup(to, {
      progress({ totalPages, remainingPages }) {
        onProgress(totalPages === 0 ? 0 : 1 - remainingPages / totalPages);
        return pagesPerStep;
      },
    });
    connection.exec('commit');
  } finally {
    connection.close();
  }
}

/** Makes one file of it and checks it, all of it, as a restore will. */
function finish(path: string): Promise<CatalogContent> {
  const connection = new Sqlite(path, { fileMustExist: true });
  try {
    connection.pragma('journal_mode = DELETE');
    requireSound(connection, path);
    return Promise.resolve(contentOf(connection, path));
  } finally {
    connection.close();
  }
}

/** @throws CatalogOpenError when a page, an index or a reference is broken */
export function requireSound(connection: Sqlite.Database, path: string): void {
  const integrity = String(connection.pragma('integrity_check(1)', { simple: true }));
  const references = connection.pragma('foreign_key_check') as unknown[];
  if (integrity === 'ok' && references.length === 0) return;
  const what = integrity === 'ok' ? `${references.length} references lead nowhere` : integrity;
  throw new CatalogOpenError(`The catalog ${path} is damaged: ${what}. Take another copy.`);
}

/** Counts what is in it. */
export function contentOf(connection: Sqlite.Database, path: string): CatalogContent {
  const value = (query: string): unknown => connection.prepare(query).pluck().get();
  return {
    bytes: statSync(path).size,
    keys: Number(value("select count(*) from keys where state <> 'Deleted'")),
    schemaVersion: Number(value('select schema_version from catalog_metadata')),
    incarnationId: String(value('select incarnation_id from catalog_metadata')),
  };
}

function occupied(path: string): CatalogOpenError {
  return new CatalogOpenError(`There is something at ${path}, and nothing was changed. Name another file.`);
}
