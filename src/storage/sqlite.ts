import { resolve } from 'node:path';
import type { Clock } from '../clock.js';
import type { ChangeFeed } from '../coordination/change-feed.js';
import { catalogOn } from './catalog.js';
import { catalogProblem, openError, requireNone } from './catalog-problem.js';
import { type CatalogUse, useCatalog } from './catalog-use.js';
import type { Catalog } from './database.js';
import { migrate } from './migrations.js';
import { withReadCache } from './read-cache.js';
import { openConnection } from './sqlite-connection.js';
import { SqliteCatalogDatabase } from './sqlite-database.js';
import { columnTypes } from './sqlite-types.js';

/** The catalog's path, and its bounds of time and memory. */
export interface SqliteCatalogOptions {
  /** A catalog from `createSqliteCatalog`: none is created here. */
  path: string;
  clock: Clock;
  /**
   * Whether the caller has just called `catalogProblem`, which reads the whole file. Default false: it is called here.
   */
  checked?: boolean;
  /** How long a call waits while other processes write; then it fails with KMS_INTERNAL. Default 5,000. */
  busyTimeoutMs?: number;
  /** How many records are kept in memory; 0 keeps none. Default 10,000. */
  cachedRecords?: number;
}

/** A catalog in a SQLite file that several processes of one machine may share. */
export type SqliteCatalog = Catalog & {
  /** Random, made with the catalog: distinguishes it from every other one. */
  readonly incarnationId: string;
  readonly changes: ChangeFeed;
  /** Waits for calls under way. Later calls fail. */
  close(): Promise<void>;
};

/**
 * Opens an existing catalog, and migrates one that is older than this binary.
 * @throws CatalogOpenError as `catalogProblem`, or if it cannot be migrated.
 */
export async function openSqliteCatalog(options: SqliteCatalogOptions): Promise<SqliteCatalog> {
  const { path, clock, checked = false, busyTimeoutMs = 5_000, cachedRecords = 10_000 } = options;
  const file = resolve(path);
  if (!checked) requireNone(catalogProblem(file, undefined, busyTimeoutMs));
  const opened: { use?: CatalogUse; database?: SqliteCatalogDatabase } = {};
  const close = async (): Promise<void> => {
    await opened.database?.close();
    opened.use?.release();
  };
  try {
    opened.use = useCatalog(file, busyTimeoutMs);
    const database = new SqliteCatalogDatabase(openConnection(file, busyTimeoutMs), clock, busyTimeoutMs);
    opened.database = database;
    const incarnationId = await migrate(database, columnTypes);
    database.stopBlocking();
    database.watchFiles(file);
    const catalog = withReadCache(catalogOn(database, clock), database, cachedRecords);
    return { ...catalog, incarnationId, changes: database, close };
  } catch (thrown) {
    await close();
    throw openError(file, thrown);
  }
}
