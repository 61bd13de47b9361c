import type { Transaction } from 'kysely';
import type { CatalogSchema, ColumnTypes } from './schema.js';

/**
 * Migration 8: the epoch of the catalog and its witnesses. A binary that knows schema 7 raises no epoch and writes no
 * witness; its changes count when a newer one looks next.
 */
export async function createWitnesses(
  transaction: Transaction<CatalogSchema>,
  { text, integer, tableOptions }: ColumnTypes,
): Promise<void> {
  const { schema } = transaction;
  await schema
    .createTable('catalog_epoch')
    .addColumn('id', integer, (column) => column.primaryKey())
    .addColumn('epoch', integer, (column) => column.notNull())
    .addColumn('change_mark', integer, (column) => column.notNull())
    .addColumn('raised_date', integer, (column) => column.notNull())
    .addColumn('rollback_date', integer)
    .addColumn('rollback_message', text)
    .modifyEnd(tableOptions)
    .execute();
  await schema
    .createTable('catalog_epochs')
    .addColumn('epoch', integer, (column) => column.primaryKey())
    .addColumn('raised_date', integer, (column) => column.notNull())
    .modifyEnd(tableOptions)
    .execute();
  await schema
    .createTable('catalog_predecessors')
    .addColumn('incarnation_id', text, (column) => column.notNull())
    .addPrimaryKeyConstraint('catalog_predecessors_id', ['incarnation_id'])
    .modifyEnd(tableOptions)
    .execute();
  await schema
    .createTable('member_witnesses')
    .addColumn('cluster_id', text, (column) => column.notNull())
    .addColumn('member_name', text, (column) => column.notNull())
    .addColumn('epoch', integer, (column) => column.notNull())
    .addColumn('written_date', integer, (column) => column.notNull())
    .addPrimaryKeyConstraint('member_witnesses_place', ['cluster_id', 'member_name'])
    .modifyEnd(tableOptions)
    .execute();
  await transaction
    .insertInto('catalog_epoch')
    .values({ id: 1, epoch: 0, change_mark: 0, raised_date: 0, rollback_date: null, rollback_message: null })
    .execute();
}
