import { lstatSync } from 'node:fs';
import { resolve } from 'node:path';
import { sql } from 'kysely';
import type { Clock } from '../clock.js';
import { openError, placeProblem, requireNone } from './catalog-problem.js';
import { createMetadata, migrate } from './migrations.js';
import { PartialFile } from './partial-file.js';
import { applicationId, openConnection } from './sqlite-connection.js';
import { SqliteCatalogDatabase } from './sqlite-database.js';
import { columnTypes } from './sqlite-types.js';

/** No other process knows the file while it is made. */
const busyTimeoutMs = 1_000;

/**
 * Creates a new, empty catalog (0600). It appears complete or not at all, and never replaces anything: of several
 * processes that create one at once, one succeeds.
 * @returns false if the path is in use, by anything.
 * @throws CatalogOpenError if it cannot be created there.
 */
export async function createSqliteCatalog(path: string, clock: Clock): Promise<boolean> {
  const file = resolve(path);
  let partial: PartialFile | undefined;
  try {
    if (lstatSync(file, { throwIfNoEntry: false }) !== undefined) return false;
    requireNone(placeProblem(file));
    partial = new PartialFile(file);
    await fill(partial.path, clock);
    return partial.publish();
  } catch (thrown) {
    throw openError(file, thrown);
  } finally {
    partial?.discard();
  }
}

async function fill(path: string, clock: Clock): Promise<void> {
  const connection = openConnection(path, busyTimeoutMs);
  const database = new SqliteCatalogDatabase(connection, clock, busyTimeoutMs);
  try {
    await database.write(async (transaction) => {
      await createMetadata(transaction, columnTypes, clock.now());
      await sql`pragma application_id = ${sql.lit(applicationId)}`.execute(transaction);
    });
    await migrate(database, columnTypes);
    // Everything in the one file: the published file has no write-ahead log beside it.
    connection.pragma('journal_mode = DELETE');
  } finally {
    await database.close();
  }
}
