import type { KeyStoreCatalog } from '../keystores/catalog.js';
import type { ConnectionState, StoreRecord } from '../keystores/store.js';
import type { ConnectionErrorCode } from '../clusters/hsm-cluster.js';
import type { Scope } from '../calls/scope.js';
import type { CatalogDatabase } from './database.js';
import { storeRecord } from './rows.js';
import { createStore, deleteStore, resealPassword, updateStore } from './store-changes.js';

/** Custom key stores. */
export function storeCatalog(database: CatalogDatabase): KeyStoreCatalog {
  return {
    createStore: (store, limit) => createStore(database, store, limit),
    findStore: (scope, customKeyStoreId) => findStore(database, scope, customKeyStoreId),
    findStoreByName: (scope, name) => findStoreByName(database, scope, name),
    findStoreByCluster: (clusterId) => findStoreByCluster(database, clusterId),
    listStores: (scope, afterStoreId, limit) => listStores(database, scope, afterStoreId, limit),
    listStoresInStates: (states) => listStoresInStates(database, states),
    changeConnectionState: (customKeyStoreId, from, to, errorCode) =>
      changeConnectionState(database, customKeyStoreId, from, { to, errorCode }),
    updateStore: (customKeyStoreId, inStates, change) => updateStore(database, customKeyStoreId, inStates, change),
    resealPassword: (store, resealed) => resealPassword(database, store, resealed),
    deleteStore: (customKeyStoreId) => deleteStore(database, customKeyStoreId),
  };
}

async function findStore(
  database: CatalogDatabase,
  scope: Scope,
  customKeyStoreId: string,
): Promise<StoreRecord | undefined> {
  const row = await database.read((tables) =>
    tables
      .selectFrom('custom_key_stores')
      .selectAll()
      .where('custom_key_store_id', '=', customKeyStoreId)
      .where('account', '=', scope.account)
      .where('region', '=', scope.region)
      .executeTakeFirst(),
  );
  return row === undefined ? undefined : storeRecord(row);
}

async function findStoreByName(
  database: CatalogDatabase,
  scope: Scope,
  name: string,
): Promise<StoreRecord | undefined> {
  const row = await database.read((tables) =>
    tables
      .selectFrom('custom_key_stores')
      .selectAll()
      .where('account', '=', scope.account)
      .where('region', '=', scope.region)
      .where('name', '=', name)
      .executeTakeFirst(),
  );
  return row === undefined ? undefined : storeRecord(row);
}

async function findStoreByCluster(database: CatalogDatabase, clusterId: string): Promise<StoreRecord | undefined> {
  const row = await database.read((tables) =>
    tables.selectFrom('custom_key_stores').selectAll().where('cluster_id', '=', clusterId).executeTakeFirst(),
  );
  return row === undefined ? undefined : storeRecord(row);
}

async function listStores(
  database: CatalogDatabase,
  scope: Scope,
  afterStoreId: string | undefined,
  limit: number,
): Promise<StoreRecord[]> {
  const rows = await database.read((tables) =>
    tables
      .selectFrom('custom_key_stores')
      .selectAll()
      .where('account', '=', scope.account)
      .where('region', '=', scope.region)
      .$if(afterStoreId !== undefined, (query) => query.where('custom_key_store_id', '>', afterStoreId ?? ''))
      .orderBy('custom_key_store_id')
      .limit(limit)
      .execute(),
  );
  return rows.map(storeRecord);
}

async function listStoresInStates(
  database: CatalogDatabase,
  states: readonly ConnectionState[],
): Promise<StoreRecord[]> {
  if (states.length === 0) return [];
  const rows = await database.read((tables) =>
    tables
      .selectFrom('custom_key_stores')
      .selectAll()
      .where('connection_state', 'in', states)
      .orderBy('custom_key_store_id')
      .execute(),
  );
  return rows.map(storeRecord);
}

async function changeConnectionState(
  database: CatalogDatabase,
  customKeyStoreId: string,
  from: readonly ConnectionState[],
  change: { to: ConnectionState; errorCode: ConnectionErrorCode | null },
): Promise<boolean> {
  if (from.length === 0) return false;
  const result = await database.write((transaction) =>
    transaction
      .updateTable('custom_key_stores')
      .set({ connection_state: change.to, connection_error_code: change.errorCode })
      .where('custom_key_store_id', '=', customKeyStoreId)
      .where('connection_state', 'in', from)
      .executeTakeFirst(),
  );
  return result.numUpdatedRows === 1n;
}
