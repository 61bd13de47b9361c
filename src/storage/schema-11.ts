import type { Transaction } from 'kysely';
import type { CatalogSchema, ColumnTypes } from './schema.js';

/**
 * Migration 11: what is known of copies of archives, and archives that a restored catalog does not know. The state of those
 * is written as FAILED: a binary that knows schema 10 sees backups without an archive, and leaves them alone.
 */
export async function createBackupCopies({ schema }: Transaction<CatalogSchema>, types: ColumnTypes): Promise<void> {
  for (const name of ['copied_date', 'gone_date', 'unknown_since_date'])
    await schema.alterTable('backups').addColumn(name, types.integer).execute();
}
