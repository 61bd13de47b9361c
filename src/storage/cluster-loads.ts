import type { Transaction } from 'kysely';
import type { LoadBounds, LoadCatalog, ProcessLoad } from '../clusters/load-catalog.js';
import type { CatalogDatabase } from './database.js';
import type { CatalogSchema } from './schema.js';

/** The catalog's record of loads. The read cache does not keep it. */
export function clusterLoads(database: CatalogDatabase): LoadCatalog {
  return {
    async recordLoad(load, bounds) {
      await database.write(async (transaction) => {
        await replaceLoad(transaction, load);
        await raisePeak(transaction, load, bounds);
      });
    },
    async forgetLoad(processName) {
      await database.write((transaction) =>
        transaction.deleteFrom('cluster_loads').where('process_name', '=', processName).execute(),
      );
    },
    async listDailyPeaks(clusterId) {
      const rows = await database.read((tables) =>
        tables
          .selectFrom('cluster_daily_peaks')
          .selectAll()
          .where('cluster_id', '=', clusterId)
          .orderBy('day')
          .execute(),
      );
      return rows.map(({ day, milli_operations: peak, milli_ceiling: ceiling }) => ({
        day,
        operationsPerSecond: peak / 1_000,
        ceiling: ceiling === null ? null : ceiling / 1_000,
      }));
    },
  };
}

/** Rates are kept as thousandths: every database has whole numbers. */
const thousandths = (rate: number | null): number | null => (rate === null ? null : Math.round(1_000 * rate));

async function replaceLoad(transaction: Transaction<CatalogSchema>, load: ProcessLoad): Promise<void> {
  const rates = {
    recorded_date: load.recordedDate.getTime(),
    milli_operations: Math.round(1_000 * load.operationsPerSecond),
    milli_ceiling: thousandths(load.ceiling),
  };
  await transaction
    .insertInto('cluster_loads')
    .values({ cluster_id: load.clusterId, process_name: load.processName, ...rates })
    .onConflict((conflict) => conflict.columns(['cluster_id', 'process_name']).doUpdateSet(rates))
    .execute();
}

async function raisePeak(
  transaction: Transaction<CatalogSchema>,
  { clusterId, recordedDate }: ProcessLoad,
  { freshSince, day, keptDays }: LoadBounds,
): Promise<void> {
  const freshUntilMs = 2 * recordedDate.getTime() - freshSince.getTime();
  await transaction
    .deleteFrom('cluster_loads')
    .where('cluster_id', '=', clusterId)
    .where((row) =>
      // Later ones were recorded before the clock was set back.
      row.or([row('recorded_date', '<', freshSince.getTime()), row('recorded_date', '>', freshUntilMs)]),
    )
    .execute();
  const loads = await transaction.selectFrom('cluster_loads').selectAll().where('cluster_id', '=', clusterId).execute();
  const known = await transaction
    .selectFrom('cluster_daily_peaks')
    .selectAll()
    .where('cluster_id', '=', clusterId)
    .where('day', '=', day)
    .executeTakeFirst();
  const total = loads.reduce((sum, { milli_operations: rate }) => sum + rate, 0);
  const ceilings = loads.flatMap(({ milli_ceiling: ceiling }) => ceiling ?? []);
  const rates = {
    milli_operations: Math.max(total, known?.milli_operations ?? 0),
    milli_ceiling: ceilings.length === 0 ? (known?.milli_ceiling ?? null) : ceilings.reduce((sum, each) => sum + each),
  };
  await transaction
    .insertInto('cluster_daily_peaks')
    .values({ cluster_id: clusterId, day, ...rates })
    .onConflict((conflict) => conflict.columns(['cluster_id', 'day']).doUpdateSet(rates))
    .execute();
  const [oldest] = await transaction
    .selectFrom('cluster_daily_peaks')
    .select('day')
    .where('cluster_id', '=', clusterId)
    .orderBy('day', 'desc')
    .offset(keptDays - 1)
    .limit(1)
    .execute();
  if (oldest === undefined) return;
  await transaction
    .deleteFrom('cluster_daily_peaks')
    .where('cluster_id', '=', clusterId)
    .where('day', '<', oldest.day)
    .execute();
}
