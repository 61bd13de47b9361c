import type { KeyCatalog, KeyStateChange } from '../keys/catalog.js';
import type { KeyRecord, MaterialRecord, StoredKeyState } from '../keys/key.js';
import type { Scope } from '../calls/scope.js';
import { commitKey } from './commit-key.js';
import type { CatalogDatabase } from './database.js';
import { beginDeletion, completeDeletion, listKeysToDelete } from './key-deletion.js';
import { keyRecord, materialRecord } from './rows.js';
import type { KeyRow } from './schema.js';

type KeysAndMaterials = Pick<
  KeyCatalog,
  | 'commitKey'
  | 'findKey'
  | 'listKeys'
  | 'changeKeyState'
  | 'changeKeyDescription'
  | 'listKeysToDelete'
  | 'beginDeletion'
  | 'completeDeletion'
  | 'countKeysOfStore'
  | 'findMaterial'
  | 'listMaterialsOfKey'
>;

/** Keys and their materials. */
export function keysAndMaterials(database: CatalogDatabase): KeysAndMaterials {
  return {
    commitKey: (key, material) => commitKey(database, key, material),
    findKey: (scope, keyId) => findKey(database, scope, keyId),
    listKeys: (scope, afterKeyId, limit) => listKeys(database, scope, afterKeyId, limit),
    changeKeyState: (scope, keyId, from, to) => changeKeyState(database, scope, keyId, from, to),
    changeKeyDescription: (scope, keyId, from, description) => changeKey(database, scope, keyId, from, { description }),
    listKeysToDelete: (now, limit) => listKeysToDelete(database, now, limit),
    beginDeletion: (scope, keyId, now) => beginDeletion(database, scope, keyId, now),
    completeDeletion: (scope, keyId, destroyedDate) => completeDeletion(database, scope, keyId, destroyedDate),
    countKeysOfStore: (customKeyStoreId) => countKeysOfStore(database, customKeyStoreId),
    findMaterial: (materialId) => findMaterial(database, materialId),
    listMaterialsOfKey: (keyId) => listMaterialsOfKey(database, keyId),
  };
}

async function findKey(database: CatalogDatabase, scope: Scope, keyId: string): Promise<KeyRecord | undefined> {
  const row = await database.read((tables) =>
    tables
      .selectFrom('keys')
      .selectAll()
      .where('account', '=', scope.account)
      .where('region', '=', scope.region)
      .where('key_id', '=', keyId)
      .executeTakeFirst(),
  );
  return row === undefined ? undefined : keyRecord(row);
}

async function listKeys(
  database: CatalogDatabase,
  scope: Scope,
  afterKeyId: string | undefined,
  limit: number,
): Promise<KeyRecord[]> {
  const rows = await database.read((tables) =>
    tables
      .selectFrom('keys')
      .selectAll()
      .where('account', '=', scope.account)
      .where('region', '=', scope.region)
      .where('state', 'not in', ['Deleting', 'Deleted'])
      .$if(afterKeyId !== undefined, (query) => query.where('key_id', '>', afterKeyId ?? ''))
      .orderBy('key_id')
      .limit(limit)
      .execute(),
  );
  return rows.map(keyRecord);
}

function changeKeyState(
  database: CatalogDatabase,
  scope: Scope,
  keyId: string,
  from: readonly StoredKeyState[],
  to: KeyStateChange,
): Promise<boolean> {
  return changeKey(database, scope, keyId, from, {
    state: to.state,
    deletion_date: to.deletionDate?.getTime() ?? null,
    pending_deletion_window_in_days: to.pendingDeletionWindowInDays,
  });
}

/** @returns whether the key's state was one of `from` */
async function changeKey(
  database: CatalogDatabase,
  scope: Scope,
  keyId: string,
  from: readonly StoredKeyState[],
  change: Partial<Pick<KeyRow, 'state' | 'deletion_date' | 'pending_deletion_window_in_days' | 'description'>>,
): Promise<boolean> {
  if (from.length === 0) return false;
  const result = await database.write((transaction) =>
    transaction
      .updateTable('keys')
      .set(change)
      .where('account', '=', scope.account)
      .where('region', '=', scope.region)
      .where('key_id', '=', keyId)
      .where('state', 'in', from)
      .executeTakeFirst(),
  );
  return result.numUpdatedRows === 1n;
}

async function countKeysOfStore(database: CatalogDatabase, customKeyStoreId: string): Promise<number> {
  const row = await database.read((tables) =>
    tables
      .selectFrom('keys')
      .select((columns) => columns.fn.countAll().as('count'))
      .where('custom_key_store_id', '=', customKeyStoreId)
      .where('state', '!=', 'Deleted')
      .executeTakeFirstOrThrow(),
  );
  return Number(row.count);
}

async function findMaterial(database: CatalogDatabase, materialId: string): Promise<MaterialRecord | undefined> {
  const row = await database.read((tables) =>
    tables.selectFrom('materials').selectAll().where('material_id', '=', materialId).executeTakeFirst(),
  );
  return row === undefined ? undefined : materialRecord(row);
}

/** The materials of a key, oldest first. */
async function listMaterialsOfKey(database: CatalogDatabase, keyId: string): Promise<MaterialRecord[]> {
  const rows = await database.read((tables) =>
    tables
      .selectFrom('materials')
      .selectAll()
      .where('key_id', '=', keyId)
      .orderBy('creation_date')
      .orderBy('material_id')
      .execute(),
  );
  return rows.map(materialRecord);
}
