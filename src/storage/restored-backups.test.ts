import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTestCatalog } from '../../test/catalog-file.js';
import { owner } from '../../test/contract/catalog-records.js';
import { ManualClock } from '../../test/manual-clock.js';
import type { BackupRecord } from '../backup/backup-record.js';
import { readTime } from '../jobs/time-watch.js';
import { recordAfter } from '../keys/time-record.js';
import { backupCatalog } from './backup-catalog.js';
import { restoreCatalog } from './restore-catalog.js';
import type { SqliteCatalog } from './sqlite.js';

/** A restored catalog is honest about the archives that it cannot know. */

let folder: string;
let path: string;
let copy: string;
let clock: ManualClock;
let catalog: SqliteCatalog;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-restored-'));
  [path, copy] = [join(folder, 'catalog.db'), join(folder, 'copy.db')];
  clock = new ManualClock(new Date('2026-12-01T12:00:00Z'));
  catalog = await openTestCatalog({ path, clock });
});
afterEach(async () => {
  await catalog.close();
  rmSync(folder, { recursive: true });
});

const record = (change: Partial<BackupRecord> = {}): BackupRecord => ({
  ...{ backupId: 'ab'.repeat(16), fileName: 'a', trigger: 'SCHEDULE', state: 'RUNNING', startTime: clock.now() },
  ...{ endTime: null, sizeBytes: null, keyMaterials: 0, absentKeyMaterials: 0, generations: [], failure: null },
  ...{ verification: null, verificationTime: null, verificationFailure: null, removedTime: null },
  ...{ copiedTime: null, goneTime: null, unknownSince: null },
  ...change,
});
const complete = (change: Partial<BackupRecord>): BackupRecord =>
  record({ state: 'COMPLETE', endTime: clock.now(), sizeBytes: 3, ...change });
async function beInUse(): Promise<void> {
  await catalog.changeTimeRecord((known) => recordAfter(known, readTime(clock)));
  for (const _ of ['before', 'last']) raiseEpoch(path);
}

function raiseEpoch(file: string): void {
  change(file, 'update catalog_epoch set epoch = epoch + 1, raised_date = @now');
  change(file, 'insert into catalog_epochs select epoch, @now from catalog_epoch');
}

function change(file: string, statement: string): void {
  const database = new Sqlite(file);
  database.prepare(statement).run({ now: clock.now().getTime() });
  database.close();
}

/** The catalog is copied while a backup runs, and goes on for an hour. */
async function loseCatalog(): Promise<{ usedAt: Date; begunAt: Date; later: BackupRecord }> {
  await beInUse();
  const usedAt = clock.now();
  clock.advance(60_000);
  const begunAt = clock.now();
  await catalog.recordBackup(record());
  await backupCatalog(path, copy, () => undefined);
  await catalog.recordBackup(complete({}));
  clock.advance(3_600_000);
  const later = complete({ backupId: 'cd'.repeat(16), fileName: 'b', copiedTime: clock.now() });
  await catalog.recordBackup(later);
  await beInUse();
  await catalog.close();
  for (const end of ['', '-wal', '-shm']) {
    rmSync(`${folder}/lost.db${end}`, { force: true });
    if (end === '') renameSync(path, join(folder, 'lost.db'));
    else rmSync(path + end, { force: true });
  }
  return { usedAt, begunAt, later };
}

async function restore(tombstonesOf?: string): Promise<BackupRecord[]> {
  clock.advance(60_000);
  await restoreCatalog({ source: copy, target: path, owner, clock, onProgress: () => undefined, tombstonesOf });
  catalog = await openTestCatalog({ path, clock });
  return catalog.listRetainingBackups();
}

test('the backup that was under way may have an archive, and so may all that were begun since the copy', async () => {
  const { usedAt, begunAt } = await loseCatalog();
  const found = await restore();
  expect(found).toMatchObject([
    { fileName: '', state: 'UNKNOWN', startTime: clock.now(), unknownSince: usedAt },
    { fileName: 'a', state: 'UNKNOWN', startTime: begunAt, unknownSince: begunAt },
  ]);
});

test('with the lost catalog at hand, all of its archives are known, and what it cannot know is said', async () => {
  const { later } = await loseCatalog();
  const lostAt = clock.now();
  const found = await restore(join(folder, 'lost.db'));
  expect(found).toEqual([
    expect.objectContaining({ fileName: '', state: 'UNKNOWN', startTime: clock.now(), unknownSince: lostAt }),
    later,
    expect.objectContaining({ fileName: 'a', state: 'COMPLETE', sizeBytes: 3, copiedTime: clock.now() }),
  ]);
});

test('an archive that was there may have been read since the copy', async () => {
  const [there, removed] = [complete({}), complete({ backupId: '12'.repeat(16), removedTime: clock.now() })];
  await catalog.recordBackup(there);
  await catalog.recordBackup(removed);
  await backupCatalog(path, copy, () => undefined);
  await catalog.close();
  rmSync(path);
  expect(await restore()).toContainEqual({ ...there, copiedTime: clock.now() });
  expect(await catalog.findBackup(removed.backupId)).toEqual(removed);
});

test.each<[string, () => void]>([
  ['saw the time anew', () => change(copy, 'update time_record set last_seen_date = @now')],
  ['raised its epoch', () => raiseEpoch(copy)],
])('a start of the copy that %s shortens nothing', async (_, start) => {
  const { usedAt } = await loseCatalog();
  start();
  expect(await restore()).toMatchObject([{ fileName: '', unknownSince: usedAt }, { fileName: 'a' }]);
});

test('a clock that was ahead: from now until the time that the copy had', async () => {
  await loseCatalog();
  const aheadMs = clock.now().getTime() + 3_600_000;
  change(copy, `update time_record set last_seen_date = max(@now, ${aheadMs})`);
  change(copy, `update catalog_epochs set raised_date = max(@now, ${aheadMs})`);
  const [gap] = await restore();
  expect(gap).toMatchObject({ fileName: '', unknownSince: clock.now(), startTime: new Date(aheadMs) });
});

test('an older catalog says nothing of what came after it', async () => {
  const old = join(folder, 'old.db');
  await beInUse();
  await catalog.recordBackup(record({ backupId: 'ef'.repeat(16), fileName: 'of old' }));
  await backupCatalog(path, old, () => undefined);
  await catalog.recordBackup(complete({ backupId: 'ef'.repeat(16), fileName: 'of old' }));
  clock.advance(60_000);
  await loseCatalog();
  expect(await restore(old)).toMatchObject([
    { fileName: '', state: 'UNKNOWN' },
    { fileName: 'a', state: 'UNKNOWN' },
    { fileName: 'of old', state: 'COMPLETE' },
  ]);
});
