import { sql, type Transaction } from 'kysely';
import type { CatalogSchema, ColumnTypes } from './schema.js';

/** Migration 9: the record of backups. A binary that knows schema 8 makes none. */
export async function createBackups({ schema }: Transaction<CatalogSchema>, types: ColumnTypes): Promise<void> {
  const states = sql`state in ('RUNNING', 'COMPLETE', 'INCOMPLETE', 'FAILED')`;
  await schema
    .createTable('backups')
    .addColumn('backup_id', types.text, (column) => column.notNull())
    .addColumn('file_name', types.text, (column) => column.notNull())
    .addColumn('trigger_name', types.text, (column) => column.notNull())
    .addColumn('state', types.text, (column) => column.notNull().check(states))
    .addColumn('start_date', types.integer, (column) => column.notNull())
    .addColumn('end_date', types.integer)
    .addColumn('size_bytes', types.integer)
    .addColumn('key_materials', types.integer, (column) => column.notNull())
    .addColumn('absent_key_materials', types.integer, (column) => column.notNull())
    .addColumn('generations', types.text, (column) => column.notNull())
    .addColumn('failure', types.text)
    .addColumn('verification', types.text)
    .addColumn('verification_date', types.integer)
    .addColumn('verification_failure', types.text)
    .addColumn('removed_date', types.integer)
    .addPrimaryKeyConstraint('backups_id', ['backup_id'])
    .modifyEnd(types.tableOptions)
    .execute();
  await schema.createIndex('backups_by_date').on('backups').column('start_date').execute();
}
