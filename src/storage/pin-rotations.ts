import type { Transaction } from 'kysely';
import type { PinPhase, PinRotation, PinRotationCatalog, PinRotationMember } from '../keystores/pin-rotation.js';
import type { DefaultPinRecord } from '../keystores/default-pin-record.js';
import type { CatalogDatabase } from './database.js';
import { insertDefaultPin, newestDefaultPin } from './default-pins.js';
import { passwordColumns, plainBytes } from './rows.js';
import type { CatalogSchema, PinRotationMemberRow, PinRotationRow } from './schema.js';

/** Rotations of PINs. The read cache does not keep them. */
export function pinRotations(database: CatalogDatabase): PinRotationCatalog {
  return {
    beginPinRotation: (rotation, present) => begin(database, rotation, present),
    listPinRotations: () => list(database),
    changePinPhase: (place, from, to) => changePhase(database, place, from, to),
    completePinRotation: (customKeyStoreId) => complete(database, customKeyStoreId),
    abandonPinRotation: (customKeyStoreId) =>
      database.write(async (transaction) => {
        if (!(await areAll(transaction, customKeyStoreId, 'old'))) return false;
        await endPinRotation(transaction, customKeyStoreId);
        return true;
      }),
    resealPinRotation: (rotation, resealed) => reseal(database, rotation, resealed),
  };
}

/** Removes the rotation of a store, if it has one. */
export async function endPinRotation(transaction: Transaction<CatalogSchema>, customKeyStoreId: string): Promise<void> {
  for (const table of ['pin_rotations', 'pin_rotation_members'] as const)
    await transaction.deleteFrom(table).where('custom_key_store_id', '=', customKeyStoreId).execute();
}

/** Whether the store has a rotation. */
export async function hasPinRotation(
  transaction: Transaction<CatalogSchema>,
  customKeyStoreId: string,
): Promise<boolean> {
  return (await findRow(transaction, customKeyStoreId)) !== undefined;
}

/** Whether the store's rotation is exactly this one, and no member has gone on since it was read; undefined: it has none. */
export async function isAt(
  transaction: Transaction<CatalogSchema>,
  customKeyStoreId: string,
  rotation: PinRotation | undefined,
): Promise<boolean> {
  const row = await findRow(transaction, customKeyStoreId);
  if (row === undefined || rotation === undefined) return row === rotation;
  const rows = await transaction
    .selectFrom('pin_rotation_members')
    .selectAll()
    .where('custom_key_store_id', '=', customKeyStoreId)
    .orderBy('member_name')
    .execute();
  const { passwordVersion, startedDate, members } = rotationRecord(row, rows.map(memberRecord));
  const stateOf = (of: Pick<PinRotation, 'passwordVersion' | 'startedDate' | 'members'>): string =>
    JSON.stringify([
      of.passwordVersion,
      of.startedDate,
      of.members.map((each) => [each.memberName, each.phase, each.round]),
    ]);
  return stateOf({ passwordVersion, startedDate, members }) === stateOf(rotation);
}

function begin(database: CatalogDatabase, rotation: PinRotation, present?: DefaultPinRecord): Promise<boolean> {
  const { customKeyStoreId, clusterId, passwordVersion, password, startedDate, members } = rotation;
  return database.write(async (transaction) => {
    if ((await findRow(transaction, customKeyStoreId)) !== undefined) return false;
    const version =
      present === undefined
        ? await versionOfStore(transaction, customKeyStoreId, clusterId)
        : await versionOfDefault(transaction, present);
    if (version !== passwordVersion - 1) return false;
    const place = { custom_key_store_id: customKeyStoreId };
    const row = { ...place, cluster_id: clusterId, password_version: passwordVersion, ...passwordColumns(password) };
    await transaction
      .insertInto('pin_rotations')
      .values({ ...row, started_date: startedDate.getTime() })
      .execute();
    const rows = members.map(({ memberName, phase, round }) => ({ ...place, member_name: memberName, phase, round }));
    await transaction.insertInto('pin_rotation_members').values(rows).execute();
    return true;
  });
}

async function versionOfStore(
  transaction: Transaction<CatalogSchema>,
  customKeyStoreId: string,
  clusterId: string,
): Promise<number | undefined> {
  const store = await transaction
    .selectFrom('custom_key_stores')
    .select('password_version')
    .where('custom_key_store_id', '=', customKeyStoreId)
    .where('cluster_id', '=', clusterId)
    .executeTakeFirst();
  return store?.password_version;
}

/** A PIN that only the configuration has is recorded first: the rotation must be able to try it. */
async function versionOfDefault(
  transaction: Transaction<CatalogSchema>,
  present: DefaultPinRecord,
): Promise<number | undefined> {
  const newest = await newestDefaultPin(transaction, present.clusterId);
  const isRecorded = newest !== undefined && newest.taken_up_date === null;
  if (isRecorded || (newest?.password_version ?? 0) !== present.passwordVersion - 1) return newest?.password_version;
  await insertDefaultPin(transaction, present);
  return present.passwordVersion;
}

async function list(database: CatalogDatabase): Promise<PinRotation[]> {
  const [rotations, members] = await Promise.all([
    database.read((tables) => tables.selectFrom('pin_rotations').selectAll().orderBy('custom_key_store_id').execute()),
    database.read((tables) => tables.selectFrom('pin_rotation_members').selectAll().orderBy('member_name').execute()),
  ]);
  return rotations.map((row) => {
    const own = members.filter((member) => member.custom_key_store_id === row.custom_key_store_id);
    return rotationRecord(row, own.map(memberRecord));
  });
}

function rotationRecord(row: PinRotationRow, members: PinRotationMember[]): PinRotation {
  const [nonce, ciphertext] = [plainBytes(row.password_nonce), plainBytes(row.password_ciphertext)];
  return {
    customKeyStoreId: row.custom_key_store_id,
    clusterId: row.cluster_id,
    passwordVersion: row.password_version,
    password: { sealingKeyId: row.sealing_key_id, nonce, ciphertext },
    startedDate: new Date(row.started_date),
    members,
  };
}

function memberRecord({ member_name: memberName, phase, round }: PinRotationMemberRow): PinRotationMember {
  return { memberName, phase, round };
}

async function changePhase(
  database: CatalogDatabase,
  { customKeyStoreId, memberName }: { customKeyStoreId: string; memberName: string },
  from: PinPhase,
  to: PinPhase,
): Promise<boolean> {
  const result = await database.write((transaction) =>
    transaction
      .updateTable('pin_rotation_members')
      .set((row) => ({ phase: to, round: row('round', '+', to === 'changing' ? 1 : 0) }))
      .where('custom_key_store_id', '=', customKeyStoreId)
      .where('member_name', '=', memberName)
      .where('phase', '=', from)
      .executeTakeFirst(),
  );
  return result.numUpdatedRows === 1n;
}

function complete(database: CatalogDatabase, customKeyStoreId: string): Promise<boolean> {
  return database.write(async (transaction) => {
    const row = await findRow(transaction, customKeyStoreId);
    if (row === undefined || !(await areAll(transaction, customKeyStoreId, 'new'))) return false;
    const { sealing_key_id, password_nonce, password_ciphertext, password_version } = row;
    // The default key store, which has the id of its cluster, keeps the PINs that were replaced.
    if (row.cluster_id === customKeyStoreId) await insertDefaultPin(transaction, completedPin(row));
    await transaction
      .updateTable('custom_key_stores')
      .set({ sealing_key_id, password_nonce, password_ciphertext, password_version })
      .where('custom_key_store_id', '=', customKeyStoreId)
      .execute();
    await endPinRotation(transaction, customKeyStoreId);
    return true;
  });
}

function completedPin(row: PinRotationRow): DefaultPinRecord {
  return { ...rotationRecord(row, []), takenUpDate: null };
}

async function reseal(
  database: CatalogDatabase,
  { customKeyStoreId, password }: PinRotation,
  resealed: PinRotation['password'],
): Promise<boolean> {
  const result = await database.write((transaction) =>
    transaction
      .updateTable('pin_rotations')
      .set(passwordColumns(resealed))
      .where('custom_key_store_id', '=', customKeyStoreId)
      .where('password_nonce', '=', password.nonce)
      .executeTakeFirst(),
  );
  return result.numUpdatedRows === 1n;
}

function findRow(
  transaction: Transaction<CatalogSchema>,
  customKeyStoreId: string,
): Promise<PinRotationRow | undefined> {
  return transaction
    .selectFrom('pin_rotations')
    .selectAll()
    .where('custom_key_store_id', '=', customKeyStoreId)
    .executeTakeFirst();
}

/** False for a store without a rotation. */
async function areAll(
  transaction: Transaction<CatalogSchema>,
  customKeyStoreId: string,
  phase: PinPhase,
): Promise<boolean> {
  const members = await transaction
    .selectFrom('pin_rotation_members')
    .select('phase')
    .where('custom_key_store_id', '=', customKeyStoreId)
    .execute();
  return members.length > 0 && members.every((member) => member.phase === phase);
}
