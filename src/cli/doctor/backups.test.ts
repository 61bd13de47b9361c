import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTestCatalog } from '../../../test/catalog-file.js';
import type { BackupRecord } from '../../backup/backup-record.js';
import { systemClock } from '../../clock-system.js';
import type { Configuration } from '../../config/configuration.js';
import type { SqliteCatalog } from '../../storage/sqlite.js';
import { checkBackups } from './backups.js';

const hourMs = 3_600_000;
const now = new Date('2026-12-01T12:00:00Z');

let folder: string;
let catalog: SqliteCatalog;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-doctor-'));
  catalog = await openTestCatalog({ path: join(folder, 'catalog.sqlite'), clock: systemClock });
});
afterEach(async () => {
  await catalog.close();
  rmSync(folder, { recursive: true });
});

const configuration = (change: object = {}): Configuration =>
  ({
    identity: { partition: 'aws', region: 'eu-central-1', accounts: ['111122223333'] },
    clusters: [{ id: 'cluster-abcdefghijk', name: 'main', replication: 'wrapped' }],
    catalog: { path: join(folder, 'catalog.sqlite'), create: false },
    audit: { file: join(folder, 'audit.log') },
    backup: { folder, everyHours: 24, keep: 14, materialsPerSecond: 50 },
    ...change,
  }) as unknown as Configuration;

async function record(hoursAgo: number, change: Partial<BackupRecord> = {}): Promise<void> {
  const backupId = Buffer.from(`${hoursAgo}`.padStart(16, '0')).toString('hex');
  const startTime = new Date(now.getTime() - hoursAgo * hourMs);
  await catalog.recordBackup({
    ...{ backupId, fileName: backupId, trigger: 'SCHEDULE', state: 'COMPLETE', startTime, endTime: startTime },
    ...{ sizeBytes: 1, keyMaterials: 1, absentKeyMaterials: 0, generations: [], failure: null },
    ...{ verification: 'PASSED', verificationTime: startTime, verificationFailure: null, removedTime: null },
    ...{ copiedTime: null, goneTime: null, unknownSince: null },
    ...change,
  });
  writeFileSync(join(folder, backupId), '1');
}

const statuses = async (change?: object): Promise<string[]> =>
  (await checkBackups(configuration(change), now)).map(
    ({ status, subject, message }) => `${status} ${subject} ${message}`,
  );

test('says that nothing is backed up', async () => {
  expect(await statuses({ backup: null })).toEqual([
    expect.stringMatching(/^warn backups of cluster main none are made/),
  ]);
});

test('knows the age of the newest complete backup, and whether it was verified', async () => {
  expect((await statuses())[0]).toMatch(/^warn the newest complete backup there is none yet/);
  await record(60);
  expect((await statuses())[0]).toMatch(/^warn the newest complete backup is of /);
  await record(30, { verification: null, verificationTime: null });
  expect((await statuses())[0]).toMatch(/^warn .* was never verified/);
  await record(20);
  expect((await statuses())[0]).toMatch(/^ok the newest complete backup is of .* was verified at /);
  await record(10, { removedTime: now });
  await record(5, { state: 'INCOMPLETE' });
  expect((await statuses())[0]).toMatch(/^ok /);
  await record(3, { verification: 'FAILED' });
  expect((await statuses())[0]).toMatch(/^fail .* was refused when it was verified/);
  await record(1, { state: 'FAILED', failure: 'the disk is full' });
  expect((await statuses())[0]).toBe('fail the last backup failed: the disk is full');
});

test('an archive that is gone from the folder is not the newest', async () => {
  await record(30);
  await record(2);
  rmSync(join(folder, Buffer.from('2'.padStart(16, '0')).toString('hex')));
  expect(await statuses()).toEqual([
    'warn archives 1 are gone from the folder, or changed, and may exist elsewhere',
    expect.stringMatching(/^ok the newest complete backup is of 2026-11-30T06:00/),
  ]);
});
