import Sqlite from 'better-sqlite3';
import type { PinAge } from '../keystores/pin-age.js';

/** Reads a sound catalog, through a read-only connection. Nothing from one that is older than the ages. */
export function readPinAges(file: string): Pick<PinAge, 'keyStore' | 'sinceDate' | 'attemptDate'>[] {
  const connection = new Sqlite(file, { readonly: true, fileMustExist: true });
  try {
    const table = connection.prepare("select 1 from sqlite_schema where type = 'table' and name = 'pin_ages'").get();
    if (table === undefined) return [];
    const query = 'select key_store, since_date, attempt_date from pin_ages order by key_store';
    return connection
      .prepare<[], { key_store: string; since_date: number; attempt_date: number | null }>(query)
      .all()
      .map((row) => ({
        keyStore: row.key_store,
        sinceDate: new Date(row.since_date),
        attemptDate: row.attempt_date === null ? null : new Date(row.attempt_date),
      }));
  } finally {
    connection.close();
  }
}
