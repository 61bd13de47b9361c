import type { Transaction } from 'kysely';
import type { KeyStoreCatalog, StoreChange } from '../keystores/catalog.js';
import type { ConnectionState, SealedPassword, StoreRecord } from '../keystores/store.js';
import { type CatalogDatabase, UniqueConstraintError } from './database.js';
import { endPinRotation, hasPinRotation, isAt } from './pin-rotations.js';
import { passwordColumns, storeRow } from './rows.js';
import type { CatalogSchema, StoreRow } from './schema.js';

type Outcome<Method extends 'createStore' | 'updateStore' | 'deleteStore'> = Awaited<
  ReturnType<KeyStoreCatalog[Method]>
>;

/** The limit is checked first: once it is reached, no name or cluster would help. */
export function createStore(
  database: CatalogDatabase,
  store: StoreRecord,
  limit: number,
): Promise<Outcome<'createStore'>> {
  return orTaken(
    database.write(async (transaction) => {
      const { count } = await transaction
        .selectFrom('custom_key_stores')
        .select((columns) => columns.fn.countAll().as('count'))
        .where('account', '=', store.account)
        .where('region', '=', store.region)
        .executeTakeFirstOrThrow();
      if (Number(count) >= limit) return 'limit-exceeded';
      await transaction.insertInto('custom_key_stores').values(storeRow(store)).execute();
      return 'created';
    }),
  );
}

/** The database checks unique names and clusters: no other process can come between. */
export function updateStore(
  database: CatalogDatabase,
  customKeyStoreId: string,
  inStates: readonly ConnectionState[],
  change: StoreChange,
): Promise<Outcome<'updateStore'>> {
  return orTaken(
    database.write(async (transaction) => {
      const store = await findStore(transaction, customKeyStoreId);
      if (store === undefined) return 'not-found';
      if (!inStates.includes(store.connection_state) || isOvertaken(store, change)) return 'wrong-state';
      if (movesAway(store, change) && (await hasKeys(transaction, customKeyStoreId))) return 'has-keys';
      // Members may have the new PIN of a rotation already: only a password that an operator sets replaces both.
      if (movesAway(store, change) && (await hasPinRotation(transaction, customKeyStoreId))) return 'wrong-state';
      if (change.password !== undefined) {
        if (!(await isAt(transaction, customKeyStoreId, change.rotation))) return 'wrong-state';
        await endPinRotation(transaction, customKeyStoreId);
      }
      const columns = changedColumns(store, change);
      if (Object.keys(columns).length === 0) return 'updated';
      await transaction
        .updateTable('custom_key_stores')
        .set(columns)
        .where('custom_key_store_id', '=', customKeyStoreId)
        .execute();
      return 'updated';
    }),
  );
}

/** The sealed form is bound to cluster and version, and a nonce is never used twice: together they name what was read. */
export async function resealPassword(
  database: CatalogDatabase,
  store: Pick<StoreRecord, 'customKeyStoreId' | 'clusterId' | 'passwordVersion' | 'password'>,
  resealed: SealedPassword,
): Promise<boolean> {
  const result = await database.write((transaction) =>
    transaction
      .updateTable('custom_key_stores')
      .set(passwordColumns(resealed))
      .where('custom_key_store_id', '=', store.customKeyStoreId)
      .where('cluster_id', '=', store.clusterId)
      .where('password_version', '=', store.passwordVersion)
      .where('password_nonce', '=', store.password.nonce)
      .executeTakeFirst(),
  );
  return result.numUpdatedRows === 1n;
}

/** `commitKey` reads the store in its own transaction: a key comes before and is counted here, or after and fails. */
export function deleteStore(database: CatalogDatabase, customKeyStoreId: string): Promise<Outcome<'deleteStore'>> {
  return database.write(async (transaction) => {
    const store = await findStore(transaction, customKeyStoreId);
    if (store === undefined) return 'not-found';
    if (store.connection_state !== 'DISCONNECTED') return 'wrong-state';
    // Its PIN is nowhere else.
    if (await hasPinRotation(transaction, customKeyStoreId)) return 'wrong-state';
    if (await hasKeys(transaction, customKeyStoreId)) return 'has-keys';
    await transaction.deleteFrom('pin_ages').where('key_store', '=', customKeyStoreId).execute();
    await transaction.deleteFrom('custom_key_stores').where('custom_key_store_id', '=', customKeyStoreId).execute();
    return 'deleted';
  });
}

function movesAway(store: StoreRow, { clusterId }: StoreChange): boolean {
  return clusterId !== undefined && clusterId !== store.cluster_id;
}

function isOvertaken(store: StoreRow, change: StoreChange): boolean {
  return change.passwordVersion !== undefined && change.passwordVersion !== store.password_version + 1;
}

function changedColumns(store: StoreRow, change: StoreChange): Partial<StoreRow> {
  return {
    ...(change.name === undefined ? {} : { name: change.name }),
    ...(change.clusterId === undefined ? {} : { cluster_id: change.clusterId }),
    ...(change.password === undefined
      ? {}
      : { ...passwordColumns(change.password), password_version: store.password_version + 1 }),
  };
}

function findStore(transaction: Transaction<CatalogSchema>, customKeyStoreId: string): Promise<StoreRow | undefined> {
  return transaction
    .selectFrom('custom_key_stores')
    .selectAll()
    .where('custom_key_store_id', '=', customKeyStoreId)
    .executeTakeFirst();
}

async function hasKeys(transaction: Transaction<CatalogSchema>, customKeyStoreId: string): Promise<boolean> {
  const key = await transaction
    .selectFrom('keys')
    .select('key_id')
    .where('custom_key_store_id', '=', customKeyStoreId)
    .where('state', '!=', 'Deleted')
    .limit(1)
    .executeTakeFirst();
  return key !== undefined;
}

async function orTaken<T>(outcome: Promise<T>): Promise<T | 'name-in-use' | 'cluster-in-use'> {
  try {
    return await outcome;
  } catch (thrown) {
    if (!(thrown instanceof UniqueConstraintError)) throw thrown;
    if (thrown.constraint === 'custom_key_stores_name') return 'name-in-use';
    if (thrown.constraint === 'custom_key_stores_cluster') return 'cluster-in-use';
    throw thrown;
  }
}
