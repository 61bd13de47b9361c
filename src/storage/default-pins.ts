import type { Transaction } from 'kysely';
import type { DefaultPinCatalog, DefaultPinRecord } from '../keystores/default-pin-record.js';
import type { CatalogDatabase } from './database.js';
import { passwordColumns, plainBytes } from './rows.js';
import type { CatalogSchema, DefaultPinRow } from './schema.js';

/** PINs of the default key store. The read cache does not keep them. */
export function defaultPins(database: CatalogDatabase): DefaultPinCatalog {
  return {
    listDefaultPins: (clusterId) => list(database, clusterId),
    takeUpDefaultPin: (record, seenVersion) => takeUp(database, record, seenVersion),
    resealDefaultPin: (record, resealed) => reseal(database, record, resealed),
  };
}

/** The newest PIN of a default key store. */
export function newestDefaultPin(
  transaction: Transaction<CatalogSchema>,
  clusterId: string,
): Promise<DefaultPinRow | undefined> {
  return transaction
    .selectFrom('default_pins')
    .selectAll()
    .where('cluster_id', '=', clusterId)
    .orderBy('password_version', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** Adds a PIN after those that the store has had. */
export async function insertDefaultPin(
  transaction: Transaction<CatalogSchema>,
  { clusterId, passwordVersion, password, takenUpDate }: DefaultPinRecord,
): Promise<void> {
  const row = { cluster_id: clusterId, password_version: passwordVersion, ...passwordColumns(password) };
  await transaction
    .insertInto('default_pins')
    .values({ ...row, taken_up_date: takenUpDate?.getTime() ?? null })
    .execute();
}

async function list(database: CatalogDatabase, clusterId?: string): Promise<DefaultPinRecord[]> {
  const rows = await database.read((tables) =>
    tables
      .selectFrom('default_pins')
      .selectAll()
      .$if(clusterId !== undefined, (query) => query.where('cluster_id', '=', clusterId ?? ''))
      .orderBy('cluster_id')
      .orderBy('password_version')
      .execute(),
  );
  return rows.map(defaultPinRecord);
}

/** The PIN is still sealed. */
export function defaultPinRecord(row: DefaultPinRow): DefaultPinRecord {
  return {
    customKeyStoreId: row.cluster_id,
    clusterId: row.cluster_id,
    passwordVersion: row.password_version,
    password: {
      sealingKeyId: row.sealing_key_id,
      nonce: plainBytes(row.password_nonce),
      ciphertext: plainBytes(row.password_ciphertext),
    },
    takenUpDate: row.taken_up_date === null ? null : new Date(row.taken_up_date),
  };
}

function takeUp(database: CatalogDatabase, record: DefaultPinRecord, seenVersion: number): Promise<boolean> {
  const { clusterId } = record;
  return database.write(async (transaction) => {
    if ((await newestDefaultPin(transaction, clusterId))?.password_version !== seenVersion) return false;
    for (const table of ['pin_rotations', 'pin_rotation_members'] as const)
      await transaction.deleteFrom(table).where('custom_key_store_id', '=', clusterId).execute();
    await transaction.deleteFrom('default_pins').where('cluster_id', '=', clusterId).execute();
    await insertDefaultPin(transaction, record);
    return true;
  });
}

/** A nonce is never used twice, so it names what was read. */
async function reseal(
  database: CatalogDatabase,
  { clusterId, passwordVersion, password }: DefaultPinRecord,
  resealed: DefaultPinRecord['password'],
): Promise<boolean> {
  const result = await database.write((transaction) =>
    transaction
      .updateTable('default_pins')
      .set(passwordColumns(resealed))
      .where('cluster_id', '=', clusterId)
      .where('password_version', '=', passwordVersion)
      .where('password_nonce', '=', password.nonce)
      .executeTakeFirst(),
  );
  return result.numUpdatedRows === 1n;
}
