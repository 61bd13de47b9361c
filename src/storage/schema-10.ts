import { sql, type Transaction } from 'kysely';
import type { CatalogSchema, ColumnTypes } from './schema.js';

/**
 * Migration 10: changes of PINs that are under way. A binary that knows schema 9 does not see them: it logs in with the
 * old PIN, which members that have the new one refuse once.
 */
export async function createPinRotations({ schema }: Transaction<CatalogSchema>, types: ColumnTypes): Promise<void> {
  await schema
    .createTable('pin_rotations')
    .addColumn('custom_key_store_id', types.text, (column) => column.notNull())
    .addColumn('cluster_id', types.text, (column) => column.notNull())
    .addColumn('password_version', types.integer, (column) => column.notNull())
    .addColumn('sealing_key_id', types.text, (column) => column.notNull())
    .addColumn('password_nonce', types.bytes, (column) => column.notNull())
    .addColumn('password_ciphertext', types.bytes, (column) => column.notNull())
    .addColumn('started_date', types.integer, (column) => column.notNull())
    .addPrimaryKeyConstraint('pin_rotations_store', ['custom_key_store_id'])
    .modifyEnd(types.tableOptions)
    .execute();
  await schema
    .createTable('pin_rotation_members')
    .addColumn('custom_key_store_id', types.text, (column) => column.notNull())
    .addColumn('member_name', types.text, (column) => column.notNull())
    .addColumn('phase', types.text, (column) =>
      column.notNull().check(sql`phase in ('old', 'changing', 'new', 'lost')`),
    )
    .addColumn('round', types.integer, (column) => column.notNull())
    .addPrimaryKeyConstraint('pin_rotation_members_place', ['custom_key_store_id', 'member_name'])
    .modifyEnd(types.tableOptions)
    .execute();
}
