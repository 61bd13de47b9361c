import { randomBytes } from 'node:crypto';
import { sql, type Transaction } from 'kysely';
import type { Clock } from '../clock.js';
import type { CatalogSchema } from './schema.js';
import { replaceIncarnation } from './catalog-epoch.js';

/**
 * Added to every count of encryptions: more than can have been made since any backup that is worth restoring (invariant
 * 9). 3,000 a second under one key, for a day.
 */
export const restoredEncryptions = 2 ** 28;

/** What an older catalog lost when it took the place of a newer one. */
export interface RestoredCounts {
  /** Key materials whose count of encryptions was raised. */
  raisedMaterials: number;
  /** Creates that were under way in it: their outcome is unknown here. */
  forgottenIntents: number;
}

/**
 * Makes an older catalog fit to be used in place of a newer one: it becomes an incarnation of its own, and what it
 * cannot know is assumed in the safe way.
 */
export async function adaptRestored(
  transaction: Transaction<CatalogSchema>,
  predecessorIds: readonly string[],
  clock: Clock,
): Promise<RestoredCounts> {
  // Before the epochs and the record of time begin anew.
  await recordUnknownBackups(transaction, clock);
  await replaceIncarnation(transaction, predecessorIds, clock.now());
  await holdDeletions(transaction, clock);
  // Their creates may have succeeded since: as intents they would be cleaned up, and the keys' material with them.
  const forgotten = await transaction.deleteFrom('intents').where('state', '=', 'open').executeTakeFirst();
  const raised = await transaction
    .insertInto('encryption_reservations')
    .columns(['material_id', 'reserved_encryptions'])
    .expression((of) =>
      of
        .selectFrom('materials')
        .select(['material_id', sql.lit(restoredEncryptions).as('reserved_encryptions')])
        .where('destroyed_date', 'is', null)
        // Keys for MACs have no nonces that could repeat.
        .where('canary_mac', 'is', null),
    )
    .onConflict((conflict) =>
      conflict.column('material_id').doUpdateSet((row) => ({
        reserved_encryptions: row('encryption_reservations.reserved_encryptions', '+', restoredEncryptions),
      })),
    )
    .executeTakeFirst();
  return {
    raisedMaterials: Number(raised.numInsertedOrUpdatedRows ?? 0n),
    forgottenIntents: Number(forgotten.numDeletedRows),
  };
}

/**
 * Archives that it does not know may hold keys that are deleted in it later: those that were begun after the copy was made,
 * for which one record stands, and those that were under way, perhaps the one that it came from. Those that it knows may have
 * been read since.
 */
async function recordUnknownBackups(transaction: Transaction<CatalogSchema>, clock: Clock): Promise<void> {
  const now = clock.now().getTime();
  const { surelyMs, perhapsMs } = await lastUse(transaction);
  await transaction
    .updateTable('backups')
    .set({ copied_date: now })
    .where('state', 'in', ['COMPLETE', 'INCOMPLETE'])
    .where('removed_date', 'is', null)
    .where('copied_date', 'is', null)
    .execute();
  await transaction
    .updateTable('backups')
    .set({
      ...{ state: 'FAILED', unknown_since_date: sql<number>`start_date` },
      failure: 'It was under way in the catalog that was restored: how it ended is not known.',
    })
    .where('state', '=', 'RUNNING')
    .execute();
  await transaction
    .insertInto('backups')
    .values({
      ...{ backup_id: randomBytes(16).toString('hex'), file_name: '', trigger_name: 'OPERATOR', state: 'FAILED' },
      // With a clock that was ahead, archives are of the future.
      ...{
        start_date: Math.max(now, perhapsMs),
        end_date: now,
        size_bytes: null,
        key_materials: 0,
        absent_key_materials: 0,
      },
      ...{ generations: '[]', verification: null, verification_date: null, verification_failure: null },
      ...{ removed_date: null, copied_date: null, gone_date: null, unknown_since_date: Math.min(now, surelyMs) },
      failure: 'The catalog was restored: archives that were begun after the copy was made are not known to it.',
    })
    .execute();
}

/**
 * When the copy was in use last: surely, and perhaps. A start of the copy, which was refused, has seen the time anew and may have
 * raised its epoch once, so the epoch before counts. Nothing is destroyed without a new epoch, so an early date costs little.
 */
async function lastUse(transaction: Transaction<CatalogSchema>): Promise<{ surelyMs: number; perhapsMs: number }> {
  const time = await transaction.selectFrom('time_record').select('last_seen_date').executeTakeFirst();
  const newestFirst = transaction.selectFrom('catalog_epochs').select('raised_date').orderBy('epoch', 'desc');
  const [last, before] = await newestFirst.limit(2).execute();
  const seenMs = time?.last_seen_date ?? 0;
  return {
    surelyMs: Math.min(seenMs, before?.raised_date ?? 0),
    perhapsMs: Math.max(seenMs, last?.raised_date ?? 0),
  };
}

/** It does not know which were cancelled since. */
async function holdDeletions(transaction: Transaction<CatalogSchema>, clock: Clock): Promise<void> {
  const { bootId, sinceBootMs } = clock.boot();
  const now = clock.now().getTime();
  await transaction.deleteFrom('time_record').execute();
  await transaction
    .insertInto('time_record')
    .values({
      id: 1,
      reference_date: now,
      reference_boot_id: bootId,
      reference_since_boot_ms: Math.floor(sinceBootMs),
      last_seen_date: now,
      hold_reason: 'restored',
      hold_since_date: now,
      hold_expected_date: null,
      hold_found_date: null,
    })
    .execute();
}
