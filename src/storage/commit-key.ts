import type { Transaction } from 'kysely';
import type { KeyRecord, MaterialRecord } from '../keys/key.js';
import type { CatalogDatabase } from './database.js';
import { keyRow, materialRow } from './rows.js';
import type { CatalogSchema } from './schema.js';

/**
 * The commit that acknowledges a key (invariant 2). Clean-up abandons the intent, and an operator disconnects or
 * deletes the store, in transactions of their own: whichever comes first decides, and the other sees it.
 */
export function commitKey(database: CatalogDatabase, key: KeyRecord, material: MaterialRecord): Promise<boolean> {
  return database.write(async (transaction) => {
    if (!(await storeTakesKey(transaction, key))) return false;
    if (!(await closeIntent(transaction, material))) return false;
    await transaction.insertInto('keys').values(keyRow(key)).execute();
    await transaction.insertInto('materials').values(materialRow(key, material)).execute();
    return true;
  });
}

/**
 * The cluster is compared too: a store that moved to another cluster meanwhile must not own material on the old one.
 */
async function storeTakesKey(transaction: Transaction<CatalogSchema>, key: KeyRecord): Promise<boolean> {
  if (key.customKeyStoreId === null) return true;
  const store = await transaction
    .selectFrom('custom_key_stores')
    .select('custom_key_store_id')
    .where('custom_key_store_id', '=', key.customKeyStoreId)
    .where('account', '=', key.account)
    .where('region', '=', key.region)
    .where('cluster_id', '=', key.clusterId)
    .where('connection_state', '=', 'CONNECTED')
    .executeTakeFirst();
  return store !== undefined;
}

async function closeIntent(transaction: Transaction<CatalogSchema>, material: MaterialRecord): Promise<boolean> {
  const result = await transaction
    .deleteFrom('intents')
    .where('material_id', '=', material.materialId)
    .where('state', '=', 'open')
    .executeTakeFirst();
  return result.numDeletedRows === 1n;
}
