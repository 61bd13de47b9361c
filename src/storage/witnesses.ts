import type { Kysely, Transaction } from 'kysely';
import type { Clock } from '../clock.js';
import type { CatalogEpoch } from '../clusters/witness.js';
import type { MemberWitness, WitnessCatalog } from '../clusters/witness-catalog.js';
import { adaptRestored } from './adapt-restored.js';
import { follow, readEpoch } from './catalog-epoch.js';
import type { CatalogDatabase } from './database.js';
import type { CatalogSchema } from './schema.js';

/** The epoch of the catalog, and what it knows of its witnesses. The read cache does not keep them. */
export function witnessCatalog(database: CatalogDatabase, clock: Clock): WitnessCatalog {
  return {
    readEpoch: () => database.read((tables) => readEpoch(tables)),
    raiseEpoch: (now, minPauseMs) => raiseEpoch(database, now, minPauseMs),
    findEpochDate: (epoch) => findEpochDate(database, epoch),
    listMemberWitnesses: () => listMemberWitnesses(database),
    recordMemberWitness: (witness) => recordMemberWitness(database, witness),
    findRollback: () => database.read((tables) => findRollback(tables)),
    async recordRollback({ foundDate, message }) {
      const found = { rollback_date: foundDate.getTime(), rollback_message: message };
      await database.write((transaction) =>
        transaction.updateTable('catalog_epoch').set(found).where('rollback_date', 'is', null).execute(),
      );
    },
    async acceptRollback(incarnationIds) {
      await database.write((transaction) => adaptRestored(transaction, incarnationIds, clock));
    },
    async takeOverFrom(incarnationIds) {
      await database.write((transaction) => follow(transaction, incarnationIds));
    },
  };
}

/** A clock that went back must not stop the epoch: then the pause counts as over. */
function raiseEpoch(database: CatalogDatabase, now: Date, minPauseMs: number): Promise<CatalogEpoch> {
  return database.write(async (transaction) => {
    const { change_mark: before, raised_date: raised } = await transaction
      .selectFrom('catalog_epoch')
      .select(['change_mark', 'raised_date'])
      .executeTakeFirstOrThrow();
    const mark = await changeMark(transaction);
    const sinceMs = now.getTime() - raised;
    if (mark !== before && (sinceMs < 0 || sinceMs >= minPauseMs)) {
      await transaction
        .updateTable('catalog_epoch')
        .set((columns) => ({ epoch: columns('epoch', '+', 1), change_mark: mark, raised_date: now.getTime() }))
        .execute();
      await noteEpoch(transaction, now);
    }
    return readEpoch(transaction);
  });
}

/** Five days of constant change. A witness that is older is taken for one that was missed. */
const keptEpochs = 10_000;

async function noteEpoch(transaction: Transaction<CatalogSchema>, now: Date): Promise<void> {
  const { epoch } = await transaction.selectFrom('catalog_epoch').select('epoch').executeTakeFirstOrThrow();
  await transaction.insertInto('catalog_epochs').values({ epoch, raised_date: now.getTime() }).execute();
  await transaction
    .deleteFrom('catalog_epochs')
    .where('epoch', '<=', epoch - keptEpochs)
    .execute();
}

async function findEpochDate(database: CatalogDatabase, epoch: number): Promise<Date | undefined> {
  const row = await database.read((tables) =>
    tables.selectFrom('catalog_epochs').select('raised_date').where('epoch', '=', epoch).executeTakeFirst(),
  );
  return row === undefined ? undefined : new Date(row.raised_date);
}

/** Differs after every change that a rollback must not undo in silence. Both summands only rise. */
async function changeMark(transaction: Transaction<CatalogSchema>): Promise<number> {
  const { value } = await transaction
    .selectFrom('counters')
    .select('value')
    .where('name', '=', 'changes')
    .executeTakeFirstOrThrow();
  const { reserved } = await transaction
    .selectFrom('encryption_reservations')
    .select((row) => row.fn.sum<number | null>('reserved_encryptions').as('reserved'))
    .executeTakeFirstOrThrow();
  return value + (reserved ?? 0);
}

async function listMemberWitnesses(database: CatalogDatabase): Promise<MemberWitness[]> {
  const rows = await database.read((tables) => tables.selectFrom('member_witnesses').selectAll().execute());
  return rows.map((row) => ({
    clusterId: row.cluster_id,
    memberName: row.member_name,
    epoch: row.epoch,
    writtenDate: new Date(row.written_date),
  }));
}

/** Two processes may have written the same member in either order; the token keeps the higher epoch. */
async function recordMemberWitness(database: CatalogDatabase, witness: MemberWitness): Promise<void> {
  const columns = { epoch: witness.epoch, written_date: witness.writtenDate.getTime() };
  await database.write((transaction) =>
    transaction
      .insertInto('member_witnesses')
      .values({ cluster_id: witness.clusterId, member_name: witness.memberName, ...columns })
      .onConflict((conflict) =>
        conflict
          .columns(['cluster_id', 'member_name'])
          .doUpdateSet(columns)
          .where('member_witnesses.epoch', '<=', witness.epoch),
      )
      .execute(),
  );
}

async function findRollback(tables: Kysely<CatalogSchema>) {
  const row = await tables.selectFrom('catalog_epoch').select(['rollback_date', 'rollback_message']).executeTakeFirst();
  if (row?.rollback_date === undefined || row.rollback_date === null) return undefined;
  return { foundDate: new Date(row.rollback_date), message: row.rollback_message ?? '' };
}
