import type { Transaction } from 'kysely';
import type { KeyRecord } from '../keys/key.js';
import type { Scope } from '../calls/scope.js';
import type { CatalogDatabase } from './database.js';
import { keyRecord } from './rows.js';
import type { CatalogSchema } from './schema.js';

/** The keys whose deletion is due or has begun, the most overdue first. */
export async function listKeysToDelete(database: CatalogDatabase, now: Date, limit: number): Promise<KeyRecord[]> {
  const rows = await database.read((tables) =>
    tables
      .selectFrom('keys')
      .selectAll()
      .where((row) =>
        row.or([
          row('state', '=', 'Deleting'),
          row.and([row('state', '=', 'PendingDeletion'), row('deletion_date', '<=', now.getTime())]),
        ]),
      )
      .orderBy('deletion_date')
      .orderBy('key_id')
      .limit(limit)
      .execute(),
  );
  return rows.map(keyRecord);
}

/** A compare-and-set in one statement: of several processes one gets true. Throws KMS_INTERNAL. */
export async function beginDeletion(
  database: CatalogDatabase,
  scope: Scope,
  keyId: string,
  now: Date,
): Promise<boolean> {
  const result = await database.write((transaction) =>
    transaction
      .updateTable('keys')
      .set({ state: 'Deleting' })
      .where('account', '=', scope.account)
      .where('region', '=', scope.region)
      .where('key_id', '=', keyId)
      .where('state', '=', 'PendingDeletion')
      .where('deletion_date', '<=', now.getTime())
      .where((row) =>
        row.not(row.exists(row.selectFrom('time_record').select('id').where('hold_reason', 'is not', null))),
      )
      .executeTakeFirst(),
  );
  return result.numUpdatedRows === 1n;
}

/** A key that is not `Deleting` stays unchanged: another process may have completed it. */
export async function completeDeletion(
  database: CatalogDatabase,
  scope: Scope,
  keyId: string,
  destroyedDate: Date,
): Promise<void> {
  await database.write(async (transaction) => {
    if (!(await entomb(transaction, scope, keyId))) return;
    await transaction
      .updateTable('materials')
      .set({ destroyed_date: destroyedDate.getTime() })
      .where('account', '=', scope.account)
      .where('region', '=', scope.region)
      .where('key_id', '=', keyId)
      .where('destroyed_date', 'is', null)
      .execute();
    await transaction
      .deleteFrom('aliases')
      .where('account', '=', scope.account)
      .where('region', '=', scope.region)
      .where('target_key_id', '=', keyId)
      .execute();
  });
}

async function entomb(transaction: Transaction<CatalogSchema>, scope: Scope, keyId: string): Promise<boolean> {
  const result = await transaction
    .updateTable('keys')
    .set({ state: 'Deleted' })
    .where('account', '=', scope.account)
    .where('region', '=', scope.region)
    .where('key_id', '=', keyId)
    .where('state', '=', 'Deleting')
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}
