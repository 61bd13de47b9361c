import { closeSync, openSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import { openError } from './catalog-problem.js';
import { CatalogOpenError } from './database.js';
import { isBusy } from './sqlite-connection.js';

/** Marks the catalog of this name as in use, until it is released or the process ends. */
export interface CatalogUse {
  release(): void;
}

/**
 * The mark of a process that reads and writes a catalog: several may do so. The lock is on a file beside the catalog,
 * so it also works for a catalog that was removed or renamed while in use. SQLite's own locks carry it: the kernel
 * releases them, however a process ends.
 * @throws CatalogOpenError while a catalog is created or restored there, or if nothing can be written there
 */
export function useCatalog(file: string, busyTimeoutMs: number): CatalogUse {
  return lock(file, busyTimeoutMs, ['begin', 'select count(*) from sqlite_schema']);
}

/** The mark of the one process that puts a catalog in place. @throws CatalogOpenError while another process uses it */
export function claimCatalog(file: string): CatalogUse {
  return lock(file, 0, ['begin exclusive']);
}

function lock(file: string, busyTimeoutMs: number, statements: readonly string[]): CatalogUse {
  const path = `${file}-lock`;
  try {
    makeFile(path);
    return hold(new Sqlite(path, { timeout: busyTimeoutMs }), statements);
  } catch (cause) {
    if (!isBusy(cause)) throw openError(file, cause);
    throw new CatalogOpenError(
      `Another process uses the catalog ${file}: a server, or a command beside it. End it first (fuser ${path} shows which).`,
      { cause },
    );
  }
}

function hold(connection: Sqlite.Database, statements: readonly string[]): CatalogUse {
  try {
    for (const statement of statements) connection.exec(statement);
    return { release: () => connection.close() };
  } catch (error) {
    connection.close();
    throw error;
  }
}

/**
 * Makes the file, but never opens it once it exists: closing a file that SQLite has locked in this process would
 * release its locks.
 */
function makeFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
