import { sql, type Transaction } from 'kysely';
import type { CatalogSchema, ColumnTypes } from './schema.js';

/**
 * Migration 2: how many encryptions under each material processes have reserved. A table of its own, because a row of
 * `materials` is cached and changes only when its destruction is recorded.
 */
export async function createEncryptionReservations(
  { schema }: Transaction<CatalogSchema>,
  types: ColumnTypes,
): Promise<void> {
  await schema
    .createTable('encryption_reservations')
    .addColumn('material_id', types.text, (column) => column.notNull())
    .addColumn('reserved_encryptions', types.integer, (column) => column.notNull().check(sql`reserved_encryptions > 0`))
    .addPrimaryKeyConstraint('encryption_reservations_id', ['material_id'])
    .addForeignKeyConstraint('encryption_reservations_material', ['material_id'], 'materials', ['material_id'])
    .modifyEnd(types.tableOptions)
    .execute();
}
