import { createSqliteCatalog } from '../src/storage/create-catalog.js';
import { openSqliteCatalog, type SqliteCatalog, type SqliteCatalogOptions } from '../src/storage/sqlite.js';

/** Opens a catalog, and makes it first when there is none: what a server refuses to do unasked. */
export async function openTestCatalog(options: SqliteCatalogOptions): Promise<SqliteCatalog> {
  await createSqliteCatalog(options.path, options.clock);
  return openSqliteCatalog(options);
}
