import { sql, type Transaction } from 'kysely';
import type { CatalogSchema, ColumnTypes } from './schema.js';

/** The tables whose records the read cache keeps. */
const cachedTables = ['keys', 'materials', 'aliases', 'custom_key_stores'] as const;

/**
 * Migration 4: the number of changes to the records in read caches. The database counts by triggers, so the changes of
 * a still running binary with schema 3 are counted too, and no write can omit the count.
 */
export async function createChangeCounter(transaction: Transaction<CatalogSchema>, types: ColumnTypes): Promise<void> {
  await transaction.schema
    .createTable('counters')
    .addColumn('name', types.text, (column) => column.notNull())
    .addColumn('value', types.integer, (column) => column.notNull())
    .addPrimaryKeyConstraint('counters_name', ['name'])
    .modifyEnd(types.tableOptions)
    .execute();
  await transaction.insertInto('counters').values({ name: 'changes', value: 0 }).execute();
  const count = sql`update counters set value = value + 1 where name = 'changes'`;
  for (const table of cachedTables) {
    for (const trigger of types.triggersOnChange(table, count)) await trigger.execute(transaction);
  }
}
