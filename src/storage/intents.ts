import type { KeyCatalog } from '../keys/catalog.js';
import type { IntentRecord } from '../keys/key.js';
import type { CatalogDatabase } from './database.js';
import { intentRecord, intentRow } from './rows.js';

type IntentCatalog = Pick<
  KeyCatalog,
  | 'openIntent'
  | 'abandonIntent'
  | 'abandonIntentsOpenedBefore'
  | 'listAbandonedIntents'
  | 'markIntentDestroyed'
  | 'findIntent'
>;

/** The states of intents. Only `commitKey`, which ends an intent in success, is elsewhere. */
export function intentCatalog(database: CatalogDatabase): IntentCatalog {
  return {
    openIntent: (intent) => openIntent(database, intent),
    abandonIntent: (materialId, abandonedDate) => abandonIntent(database, materialId, abandonedDate),
    abandonIntentsOpenedBefore: (openedBefore, abandonedDate) =>
      abandonIntentsOpenedBefore(database, openedBefore, abandonedDate),
    listAbandonedIntents: (abandonedBefore, limit) => listAbandonedIntents(database, abandonedBefore, limit),
    markIntentDestroyed: (materialId) => markIntentDestroyed(database, materialId),
    findIntent: (materialId) => findIntent(database, materialId),
  };
}

async function openIntent(database: CatalogDatabase, intent: IntentRecord): Promise<void> {
  await database.write((transaction) => transaction.insertInto('intents').values(intentRow(intent)).execute());
}

async function abandonIntent(database: CatalogDatabase, materialId: string, abandonedDate: Date): Promise<void> {
  await database.write((transaction) =>
    transaction
      .updateTable('intents')
      .set({ state: 'abandoned', abandoned_date: abandonedDate.getTime() })
      .where('material_id', '=', materialId)
      .where('state', '=', 'open')
      .execute(),
  );
}

async function abandonIntentsOpenedBefore(
  database: CatalogDatabase,
  openedBefore: Date,
  abandonedDate: Date,
): Promise<number> {
  const result = await database.write((transaction) =>
    transaction
      .updateTable('intents')
      .set({ state: 'abandoned', abandoned_date: abandonedDate.getTime() })
      .where('state', '=', 'open')
      .where('opened_date', '<', openedBefore.getTime())
      .executeTakeFirst(),
  );
  return Number(result.numUpdatedRows);
}

async function listAbandonedIntents(
  database: CatalogDatabase,
  abandonedBefore: Date,
  limit: number,
): Promise<IntentRecord[]> {
  const rows = await database.read((tables) =>
    tables
      .selectFrom('intents')
      .selectAll()
      .where('state', '=', 'abandoned')
      .where('abandoned_date', '<', abandonedBefore.getTime())
      .orderBy('abandoned_date')
      .orderBy('material_id')
      .limit(limit)
      .execute(),
  );
  return rows.map(intentRecord);
}

async function markIntentDestroyed(database: CatalogDatabase, materialId: string): Promise<void> {
  await database.write((transaction) =>
    transaction
      .updateTable('intents')
      .set({ state: 'destroyed' })
      .where('material_id', '=', materialId)
      .where('state', '=', 'abandoned')
      .execute(),
  );
}

async function findIntent(database: CatalogDatabase, materialId: string): Promise<IntentRecord | undefined> {
  const row = await database.read((tables) =>
    tables.selectFrom('intents').selectAll().where('material_id', '=', materialId).executeTakeFirst(),
  );
  return row === undefined ? undefined : intentRecord(row);
}
