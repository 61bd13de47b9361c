import { randomBytes } from 'node:crypto';
import type { Kysely, Transaction } from 'kysely';
import type { CatalogEpoch } from '../clusters/witness.js';
import type { CatalogSchema } from './schema.js';

/** A read of one moment, since it is one statement. */
export async function readEpoch(tables: Kysely<CatalogSchema>): Promise<CatalogEpoch> {
  const rows = await tables
    .selectFrom('catalog_metadata')
    .innerJoin('catalog_epoch', 'catalog_epoch.id', 'catalog_metadata.id')
    .leftJoin('catalog_predecessors', (join) => join.onTrue())
    .select(['catalog_metadata.incarnation_id', 'catalog_epoch.epoch'])
    .select('catalog_predecessors.incarnation_id as predecessor_id')
    .execute();
  const [first] = rows;
  if (first === undefined) throw new Error('The catalog has no incarnation.');
  const predecessorIds = rows.flatMap(({ predecessor_id: id }) => id ?? []);
  return { incarnationId: first.incarnation_id, epoch: first.epoch, predecessorIds };
}

/**
 * A new incarnation, which follows the present one, those that it followed, and the given ones. Its members have no
 * witness yet: the next round writes them all. Its first epoch begins now.
 */
export async function replaceIncarnation(
  transaction: Transaction<CatalogSchema>,
  predecessorIds: readonly string[],
  now: Date,
): Promise<void> {
  const { incarnationId, epoch } = await readEpoch(transaction);
  await follow(transaction, [incarnationId, ...predecessorIds]);
  const incarnation = randomBytes(16).toString('hex');
  await transaction.updateTable('catalog_metadata').set({ incarnation_id: incarnation }).execute();
  await transaction
    .updateTable('catalog_epoch')
    .set((columns) => ({ epoch: columns('epoch', '+', 1), rollback_date: null, rollback_message: null }))
    .execute();
  await transaction
    .insertInto('catalog_epochs')
    .values({ epoch: epoch + 1, raised_date: now.getTime() })
    .execute();
  await transaction.deleteFrom('member_witnesses').execute();
}

/** Adds incarnations that the catalog follows. */
export async function follow(
  transaction: Transaction<CatalogSchema>,
  incarnationIds: readonly string[],
): Promise<void> {
  await transaction
    .insertInto('catalog_predecessors')
    .values([...new Set(incarnationIds)].map((id) => ({ incarnation_id: id })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}
