import { sql } from 'kysely';
import type { Clock } from '../clock.js';
import { catalogOn } from './catalog.js';
import type { Catalog } from './database.js';
import { migrate } from './migrations.js';
import { withReadCache } from './read-cache.js';
import type { ColumnTypes } from './schema.js';
import { applicationId, openConnection, openError } from './sqlite-connection.js';
import { SqliteCatalogDatabase } from './sqlite-database.js';
import { prepareCatalogFile } from './sqlite-file.js';

/** Where the catalog is, and what it may take of time and memory. */
export interface SqliteCatalogOptions {
  /** Its folder must exist and be writable by this user only. The file is made (0600) when it is missing. */
  path: string;
  clock: Clock;
  /** How long a call waits while other processes write; then it fails with KMS_INTERNAL. Default 5,000. */
  busyTimeoutMs?: number;
  /** How many records are kept in memory; 0 keeps none. Default 10,000. */
  cachedRecords?: number;
}

/** A catalog in a SQLite file that several processes of one machine may share. */
export type SqliteCatalog = Catalog & {
  /** Random, made with the catalog: tells it from every other one. */
  readonly incarnationId: string;
  /** Waits for calls under way. The catalog is of no use after it. */
  close(): Promise<void>;
};

const columnTypes: ColumnTypes = {
  text: sql`text`,
  integer: sql`integer`,
  bytes: sql`blob`,
  tableOptions: sql`strict`,
};

/**
 * Opens the catalog, making or migrating it where necessary.
 * @throws CatalogOpenError when the file is not ours, newer than this binary, or open to other users.
 */
export async function openSqliteCatalog(options: SqliteCatalogOptions): Promise<SqliteCatalog> {
  const { path, clock, busyTimeoutMs = 5_000, cachedRecords = 10_000 } = options;
  const file = prepareCatalogFile(path);
  const database = new SqliteCatalogDatabase(openConnection(file, busyTimeoutMs), clock, busyTimeoutMs);
  try {
    const incarnationId = await migrateSqlite(database, clock.now());
    database.stopBlocking();
    const catalog = withReadCache(catalogOn(database, clock), database, cachedRecords);
    return { ...catalog, incarnationId, close: () => database.close() };
  } catch (thrown) {
    await database.close();
    throw openError(file, thrown);
  }
}

function migrateSqlite(database: SqliteCatalogDatabase, now: Date): Promise<string> {
  return migrate(database, columnTypes, now, async (transaction) => {
    await sql`pragma application_id = ${sql.lit(applicationId)}`.execute(transaction);
  });
}
