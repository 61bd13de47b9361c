import { sql, type Transaction } from 'kysely';
import type { CatalogSchema, ColumnTypes } from './schema.js';

/**
 * Migration 3: when the service last checked the clock, and whether deletions are held since it jumped. At most one
 * row.
 */
export async function createTimeRecord({ schema }: Transaction<CatalogSchema>, types: ColumnTypes): Promise<void> {
  const reasons = sql`hold_reason in ('clock-forward', 'clock-backward', 'restored')`;
  await schema
    .createTable('time_record')
    .addColumn('id', types.integer, (column) => column.primaryKey().check(sql`id = 1`))
    .addColumn('reference_date', types.integer, (column) => column.notNull())
    .addColumn('reference_boot_id', types.text, (column) => column.notNull())
    .addColumn('reference_since_boot_ms', types.integer, (column) => column.notNull())
    .addColumn('last_seen_date', types.integer, (column) => column.notNull())
    .addColumn('hold_reason', types.text, (column) => column.check(reasons))
    .addColumn('hold_since_date', types.integer)
    .addColumn('hold_expected_date', types.integer)
    .addColumn('hold_found_date', types.integer)
    .modifyEnd(types.tableOptions)
    .execute();
}
