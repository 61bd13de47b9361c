import type { Transaction } from 'kysely';
import type { CatalogSchema, ColumnTypes } from './schema.js';

/** Migration 12: since when each key store has its PIN. A binary that knows schema 11 leaves it alone. */
export async function createPinAges({ schema }: Transaction<CatalogSchema>, types: ColumnTypes): Promise<void> {
  await schema
    .createTable('pin_ages')
    .addColumn('key_store', types.text, (column) => column.notNull())
    .addColumn('credential_version', types.text, (column) => column.notNull())
    .addColumn('since_date', types.integer, (column) => column.notNull())
    .addColumn('attempt_date', types.integer)
    .addPrimaryKeyConstraint('pin_ages_key_store', ['key_store'])
    .modifyEnd(types.tableOptions)
    .execute();
}
