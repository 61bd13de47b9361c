import type { Transaction } from 'kysely';
import type { CatalogSchema, ColumnTypes } from './schema.js';

/**
 * Migration 14: the PINs that rotations gave to the default key store. A binary that knows schema 13 does not see them: it logs
 * in with the PIN of its configuration, which members that have a newer one refuse once.
 */
export async function createDefaultPins({ schema }: Transaction<CatalogSchema>, types: ColumnTypes): Promise<void> {
  await schema
    .createTable('default_pins')
    .addColumn('cluster_id', types.text, (column) => column.notNull())
    .addColumn('password_version', types.integer, (column) => column.notNull())
    .addColumn('sealing_key_id', types.text, (column) => column.notNull())
    .addColumn('password_nonce', types.bytes, (column) => column.notNull())
    .addColumn('password_ciphertext', types.bytes, (column) => column.notNull())
    .addColumn('taken_up_date', types.integer)
    .addPrimaryKeyConstraint('default_pins_version', ['cluster_id', 'password_version'])
    .modifyEnd(types.tableOptions)
    .execute();
}
