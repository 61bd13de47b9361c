import type { Transaction } from 'kysely';
import type { CatalogSchema, ColumnTypes } from './schema.js';

/** Migration 6: members that an operator has drained. A binary that knows schema 5 keeps them in service. */
export async function createDrainedMembers({ schema }: Transaction<CatalogSchema>, types: ColumnTypes): Promise<void> {
  await schema
    .createTable('drained_members')
    .addColumn('cluster_id', types.text, (column) => column.notNull())
    .addColumn('member_name', types.text, (column) => column.notNull())
    .addColumn('drained_date', types.integer, (column) => column.notNull())
    .addPrimaryKeyConstraint('drained_members_place', ['cluster_id', 'member_name'])
    .modifyEnd(types.tableOptions)
    .execute();
}
