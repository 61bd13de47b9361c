import Sqlite from 'better-sqlite3';
import { CatalogOpenError } from './database.js';

/** "Hold": marks a SQLite file as a Holdfast catalog (SQLite file format, header offset 68). */
export const applicationId = 0x486f6c64;

/** How often an open is retried while another process holds the file, and the pause between. */
const openRetryMs = 10;

/**
 * Opens a catalog's file, which `catalogProblem` checked or we created, with every setting that durability needs.
 * @param busyTimeoutMs how long to wait, blocking, for other processes that open the same file.
 * @throws CatalogOpenError
 */
export function openConnection(file: string, busyTimeoutMs: number): Sqlite.Database {
  let connection: Sqlite.Database | undefined;
  try {
    connection = new Sqlite(file, { timeout: busyTimeoutMs, fileMustExist: true });
    enterWriteAheadLog(connection, busyTimeoutMs);
    // The default of better-sqlite3 in this mode is NORMAL, which loses acknowledged commits in a power cut.
    connection.pragma('synchronous = FULL');
    connection.pragma('foreign_keys = ON');
    connection.pragma('trusted_schema = OFF');
    return connection;
  } catch (thrown) {
    connection?.close();
    throw thrown;
  }
}

/** Whether SQLite itself refused; its `code` is the extended one, e.g. SQLITE_CONSTRAINT_UNIQUE. */
export function isSqliteError(thrown: unknown): thrown is InstanceType<Sqlite.SqliteError> {
  return thrown instanceof Sqlite.SqliteError;
}

/** Another connection holds the file: worth retrying. Extended codes (SQLITE_BUSY_SNAPSHOT) count too. */
export function isBusy(thrown: unknown): boolean {
  return isSqliteError(thrown) && /^SQLITE_(BUSY|LOCKED)/.test(thrown.code);
}

/**
 * SQLite does not wait, whatever the busy timeout, when two connections switch a new file to the write-ahead log at
 * once. Only the first start on a new file can hit that; it may block, because nothing is served yet.
 */
function enterWriteAheadLog(connection: Sqlite.Database, busyTimeoutMs: number): void {
  for (let waitedMs = 0; ; waitedMs += openRetryMs) {
    try {
      if (connection.pragma('journal_mode = WAL', { simple: true }) === 'wal') return;
      throw new CatalogOpenError(
        'The file system under the catalog does not support a write-ahead log (shared memory).',
      );
    } catch (thrown) {
      if (!isBusy(thrown) || waitedMs >= busyTimeoutMs) throw thrown;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, openRetryMs);
    }
  }
}
