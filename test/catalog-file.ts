import type Sqlite from 'better-sqlite3';
import { createSqliteCatalog } from '../src/storage/create-catalog.js';
import { openSqliteCatalog, type SqliteCatalog, type SqliteCatalogOptions } from '../src/storage/sqlite.js';

/** Opens a catalog, and first makes it if it is missing. A server would refuse to: it makes none unless asked. */
export async function openTestCatalog(options: SqliteCatalogOptions): Promise<SqliteCatalog> {
  await createSqliteCatalog(options.path, options.clock);
  return openSqliteCatalog(options);
}

/** Removes what later migrations added, which leaves a catalog of the first version. */
export function takeBackToSchema1(connection: Sqlite.Database): void {
  const names = connection.prepare<[], string>("select name from sqlite_schema where type = 'trigger'").pluck().all();
  for (const name of names) connection.exec(`drop trigger ${name}`);
  for (const column of ['claimed_by', 'lock_domain'])
    connection.exec(`alter table login_attempts drop column ${column}`);
  const added = [
    'backups',
    'member_witnesses',
    'catalog_predecessors',
    'catalog_epochs',
    'catalog_epoch',
    'cluster_daily_peaks',
    'cluster_loads',
    'drained_members',
    'pin_rotations',
    'pin_rotation_members',
    'pin_ages',
    'default_pins',
    'leases',
    'counters',
  ];
  for (const table of [...added, 'time_record', 'encryption_reservations']) connection.exec(`drop table ${table}`);
  connection.exec('alter table materials drop column canary_mac');
  connection.exec('update catalog_metadata set schema_version = 1');
}
