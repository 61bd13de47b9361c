import { lstatSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import Sqlite from 'better-sqlite3';
import { systemClock } from '../clock-system.js';
import { catalogProblem, openError, requireNone } from './catalog-problem.js';
import { CatalogOpenError } from './database.js';
import { requireOwnSchema } from './own-schema.js';
import { PartialFile } from './partial-file.js';
import { openConnection } from './sqlite-connection.js';

/** The content of a catalog's copy. */
export interface CatalogContent {
  bytes: number;
  /** The number of keys; tombstones are not counted. */
  keys: number;
  schemaVersion: number;
  incarnationId: string;
}

/** Called with the progress of a copy, from 0 to 1. */
export type ProgressListener = (share: number) => void;

const busyTimeoutMs = 5_000;
/** A mebibyte of SQLite's pages: the listener is called between two steps. */
const pagesPerStep = 256;

/**
 * Copies the state of a catalog at one moment, even while it is in use. The file (0600) appears
 * complete and checked, or not at all, and replaces nothing.
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
    await copyCatalog(from, partial.path, onProgress);
    const content = await finish(partial.path);
    if (!partial.publish()) throw occupied(to);
    return content;
  });
}

/** Whether the path is in use. @throws CatalogOpenError if it cannot be examined */
export function isTaken(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw openError(path, error);
  }
}

/**
 * Works on a partial file, which is removed afterwards; errors of SQLite and the system become those for an operator.
 */
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

const foreignObject = 'Remove it while the service is stopped: no restore would take a copy with it.';

/**
 * The read transaction pins one moment: without it SQLite restarts the copy whenever another process writes.
 * @throws CatalogOpenError if a restore would refuse the copy
 */
export async function copyCatalog(from: string, to: string, onProgress: ProgressListener): Promise<void> {
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
  await requireOwnSchema(to, systemClock, from, foreignObject);
}

/** Puts everything into one file and checks all of it, as a restore will. */
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

/** @throws CatalogOpenError if a page, an index or a reference is broken */
export function requireSound(connection: Sqlite.Database, path: string): void {
  const integrity = String(connection.pragma('integrity_check(1)', { simple: true }));
  const references = connection.pragma('foreign_key_check') as unknown[];
  if (integrity === 'ok' && references.length === 0) return;
  const what = integrity === 'ok' ? `${references.length} references lead nowhere` : integrity;
  throw new CatalogOpenError(`The catalog ${path} is damaged: ${what}. Take another copy.`);
}

/** Counts its content. */
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
