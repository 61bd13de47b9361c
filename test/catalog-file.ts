import type Sqlite from 'better-sqlite3';
import { createSqliteCatalog } from '../src/storage/create-catalog.js';
import { openSqliteCatalog, type SqliteCatalog, type SqliteCatalogOptions } from '../src/storage/sqlite.js';

/** Opens a catalog, and makes it first when there is none: what a server refuses to do unasked. */
export async function openTestCatalog(options: SqliteCatalogOptions): Promise<SqliteCatalog> {
  await createSqliteCatalog(options.path, options.clock);
  return openSqliteCatalog(options);
}

/** Takes away what later migrations added, as a catalog of the first version is. */
export function takeBackToSchema1(connection: Sqlite.Database): void {
  const names = connection.prepare<[], string>("select name from sqlite_schema where type = 'trigger'").pluck().all();
  for (const name of names) connection.exec(`drop trigger ${name}`);
  for (const table of ['counters', 'time_record', 'encryption_reservations']) connection.exec(`drop table ${table}`);
  connection.exec('update catalog_metadata set schema_version = 1');
}
