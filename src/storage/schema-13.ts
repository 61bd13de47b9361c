import type { Transaction } from 'kysely';
import type { CatalogSchema, ColumnTypes } from './schema.js';

/**
 * Migration 13: the known answer of keys for MACs. A binary that knows schema 12 reads an empty canary of such a key, which
 * no handle gives: it refuses its use, and leaves it alone.
 */
export async function createMacCanaries({ schema }: Transaction<CatalogSchema>, types: ColumnTypes): Promise<void> {
  await schema.alterTable('materials').addColumn('canary_mac', types.bytes).execute();
}
