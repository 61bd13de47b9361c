import type { Transaction } from 'kysely';
import type { KeyCatalog } from '../keys/catalog.js';
import type { DeletionHold, TimeRecord } from '../keys/time-record.js';
import type { CatalogDatabase } from './database.js';
import type { CatalogSchema, TimeRecordRow } from './schema.js';

/** The catalog's record of time. The read cache does not keep it. */
export function timeRecordCatalog(database: CatalogDatabase): Pick<KeyCatalog, 'changeTimeRecord' | 'findTimeRecord'> {
  return {
    changeTimeRecord: (change) => database.write((transaction) => changeRow(transaction, change)),
    findTimeRecord: () => database.read(find),
  };
}

async function changeRow(
  transaction: Transaction<CatalogSchema>,
  change: (known: TimeRecord | undefined) => TimeRecord,
): Promise<{ before: TimeRecord | undefined; after: TimeRecord }> {
  const before = await find(transaction);
  const after = change(before);
  if (after === before) return { before, after };
  const { id, ...columns } = timeRow(after);
  await transaction
    .insertInto('time_record')
    .values({ id, ...columns })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(columns))
    .execute();
  return { before, after };
}

async function find(tables: Pick<Transaction<CatalogSchema>, 'selectFrom'>): Promise<TimeRecord | undefined> {
  const row = await tables.selectFrom('time_record').selectAll().executeTakeFirst();
  return row === undefined ? undefined : timeRecord(row);
}

function timeRow({ reference, lastSeenDate, hold }: TimeRecord): TimeRecordRow {
  return {
    id: 1,
    reference_date: reference.date.getTime(),
    reference_boot_id: reference.bootId,
    reference_since_boot_ms: Math.floor(reference.sinceBootMs),
    last_seen_date: lastSeenDate.getTime(),
    hold_reason: hold?.reason ?? null,
    hold_since_date: hold?.since.getTime() ?? null,
    hold_expected_date: hold?.expected?.getTime() ?? null,
    hold_found_date: hold?.found?.getTime() ?? null,
  };
}

function timeRecord(row: TimeRecordRow): TimeRecord {
  const reference = {
    date: new Date(row.reference_date),
    bootId: row.reference_boot_id,
    sinceBootMs: row.reference_since_boot_ms,
  };
  return { reference, lastSeenDate: new Date(row.last_seen_date), hold: holdOf(row) };
}

function holdOf(row: TimeRecordRow): DeletionHold | null {
  if (row.hold_reason === null) return null;
  const date = (ms: number | null): Date | null => (ms === null ? null : new Date(ms));
  return {
    reason: row.hold_reason,
    since: new Date(row.hold_since_date ?? row.last_seen_date),
    expected: date(row.hold_expected_date),
    found: date(row.hold_found_date),
  };
}
