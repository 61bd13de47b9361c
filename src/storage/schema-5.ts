import type { Transaction } from 'kysely';
import type { CatalogSchema, ColumnTypes } from './schema.js';

/**
 * Migration 5: leases, and the claimant of a login attempt. A binary that knows schema 4 leaves the new columns empty,
 * and takes no leases.
 */
export async function createLeases(transaction: Transaction<CatalogSchema>, types: ColumnTypes): Promise<void> {
  const { schema } = transaction;
  await schema
    .createTable('leases')
    .addColumn('name', types.text, (column) => column.notNull())
    .addColumn('holder', types.text, (column) => column.notNull())
    .addColumn('fence', types.integer, (column) => column.notNull())
    .addColumn('clock', types.text, (column) => column.notNull())
    .addColumn('renewed_ms', types.integer, (column) => column.notNull())
    .addColumn('expires_ms', types.integer, (column) => column.notNull())
    .addPrimaryKeyConstraint('leases_name', ['name'])
    .modifyEnd(types.tableOptions)
    .execute();
  await transaction.insertInto('counters').values({ name: 'fence', value: 0 }).execute();
  await schema.alterTable('login_attempts').addColumn('claimed_by', types.text).execute();
  await schema.alterTable('login_attempts').addColumn('lock_domain', types.text).execute();
}
