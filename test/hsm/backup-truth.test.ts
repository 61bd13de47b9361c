import {
  copyFileSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, expect, test } from 'vitest';
import type { BackupRecord } from '../../src/backup/backup-record.js';
import { waitFor } from '../wait-for.js';
import { archiveOf, backupsOf, closeSite, ended, keyOf, type Site, site } from './backup-site.js';
import { clusterId, codeOf } from './fixture.js';

/** A deletion is complete only when every archive that was ever made, and may hold the key, is known to be gone. */

afterEach(closeSite);

/** More than a clock may be wrong. */
const laterMs = 26 * 3_600_000;

/** A second archive, which began so late that it cannot hold what was destroyed before: others may be removed then. */
async function makeLater(here: Site, backups: ReturnType<typeof backupsOf>): Promise<BackupRecord> {
  here.clock.advance(laterMs);
  return ended(backups, await waitFor(() => backups.startBackup()));
}

test('a backup that runs counts, and so does one that a killed process has finished', async () => {
  const here = await site(2);
  let proceed = (): void => undefined;
  const held = new Promise<void>((resolve) => (proceed = resolve));
  const turn = (): Promise<void> => held;
  const backups = backupsOf(here, { archive: { ...archiveOf(here), turn } });
  const { report, destroy } = await keyOf(here, backups);
  const backupId = await backups.startBackup();
  await destroy();
  expect(await report()).toMatchObject({ complete: false, retainingBackups: [{ backupId, place: 'MAKING' }] });
  proceed();
  const whole = await ended(backups, backupId);
  // The archive has its name, and the process was killed before it could say so.
  const cut = { state: 'RUNNING', endTime: null, sizeBytes: null, keyMaterials: 0, generations: [] } as const;
  await here.on.catalog.recordBackup({ ...whole, ...cut });
  expect(await report()).toMatchObject({ complete: false });
  const next = backupsOf(here, {}, 'the next process');
  await makeLater(here, next);
  expect(await here.on.catalog.findBackup(backupId)).toMatchObject({
    ...{ state: 'COMPLETE', sizeBytes: whole.sizeBytes, keyMaterials: whole.keyMaterials, failure: null },
    generations: whole.generations,
  });
  expect(await report()).toMatchObject({ complete: false, retainingBackups: [{ backupId, place: 'FOLDER' }] });
});

test('an archive without a record of its end is found, also if the record says that it failed', async () => {
  const here = await site(1);
  const backups = backupsOf(here);
  const { report, destroy } = await keyOf(here, backups);
  const made = await ended(backups, await backups.startBackup());
  await destroy();
  // Its end could not be audited, for example.
  await here.on.catalog.recordBackup({ ...made, state: 'FAILED', generations: [], sizeBytes: null });
  const retained = { complete: false, retainingBackups: [{ backupId: made.backupId, place: 'FOLDER' }] };
  expect(await report()).toMatchObject(retained);
  backups.start();
  await waitFor(async () =>
    expect(await here.on.catalog.findBackup(made.backupId)).toMatchObject({ state: 'COMPLETE' }),
  );
  expect(await report()).toMatchObject(retained);
});

test('archives that the catalog has no record of are named, and recorded; other files are no business of the service', async () => {
  const here = await site(1);
  const backups = backupsOf(here);
  const { report, destroy } = await keyOf(here, backups);
  const { fileName, backupId } = await ended(backups, await backups.startBackup());
  await destroy();
  renameSync(join(here.folder, fileName), join(here.folder, 'of-last-week.archive'));
  const raw = new Database(join(here.on.folder, 'catalog.db'));
  raw.exec('delete from backups');
  raw.close();
  writeFileSync(join(here.folder, 'notes.txt'), 'mine');
  const [found] = (await report()).retainingBackups;
  expect(found).toMatchObject({ backupId, fileName: 'of-last-week.archive', place: 'FOLDER' });
  backups.start();
  await waitFor(async () =>
    expect(await here.on.catalog.findBackup(backupId)).toMatchObject({
      ...{ state: 'COMPLETE', trigger: 'OPERATOR', fileName: 'of-last-week.archive' },
      generations: [{ clusterId, generation: 1 }],
    }),
  );
  expect(await here.on.catalog.listBackups(undefined, 10)).toHaveLength(1);
  expect(await report()).toMatchObject({ complete: false, retainingBackupCount: 1 });
});

test('an archive counts also when its cluster is not wrapped any more', async () => {
  const here = await site(1);
  const { backupId } = await ended(backupsOf(here), await backupsOf(here).startBackup());
  const archive = archiveOf(here);
  const clusters = () => archive.clusters().map((cluster) => ({ ...cluster, replication: 'none' as const }));
  const { report, destroy } = await keyOf(here, backupsOf(here, { archive: { ...archive, clusters } }));
  await destroy();
  expect(await report()).toMatchObject({ complete: false, retainingBackups: [{ backupId, place: 'FOLDER' }] });
});

test('an archive counts also when the clock was an hour slow or fast while it was made', async () => {
  const here = await site(1);
  const backups = backupsOf(here);
  const { report, destroy } = await keyOf(here, backups);
  const hourMs = 3_600_000;
  here.clock.stepWall(-hourMs);
  const slow = await ended(backups, await backups.startBackup());
  here.clock.stepWall(2 * hourMs);
  const fast = await ended(backups, await waitFor(() => backups.startBackup()));
  here.clock.stepWall(-hourMs);
  await destroy();
  expect(await report()).toMatchObject({
    complete: false,
    retainingBackups: [{ backupId: fast.backupId }, { backupId: slow.backupId }],
  });
});

test('a file that was cut is no archive: it is named, makes no room, and goes only with the word that no copy is left', async () => {
  const here = await site(1);
  const backups = backupsOf(here, { everyMs: 1, keep: 1 });
  const { report, destroy } = await keyOf(here, backups);
  const { backupId, fileName } = await ended(backups, await backups.startBackup());
  await destroy();
  await makeLater(here, backups);
  truncateSync(join(here.folder, fileName), 100);
  expect(await backups.find(backupId)).toMatchObject({ place: 'UNCERTAIN' });
  expect(await codeOf(backups.remove(backupId, false))).toBe('KMS_INVALID_STATE');
  expect(backups.summary).toMatchObject({ absent: 1 });
  expect(await report()).toMatchObject({ complete: false });
  await waitFor(() => backups.remove(backupId, true));
  expect(readdirSync(here.folder)).not.toContain(fileName);
  expect(await report()).toMatchObject({ complete: true });
});

test('a link is no archive, whatever it leads to: its removal does not make a deletion complete', async () => {
  const here = await site(1);
  const backups = backupsOf(here);
  const { report, destroy } = await keyOf(here, backups);
  const { backupId, fileName } = await ended(backups, await backups.startBackup());
  await destroy();
  await makeLater(here, backups);
  const target = join(here.on.folder, 'elsewhere');
  renameSync(join(here.folder, fileName), target);
  symlinkSync(target, join(here.folder, fileName));
  expect(await backups.find(backupId)).toMatchObject({ place: 'UNCERTAIN' });
  expect(await codeOf(backups.remove(backupId, false))).toBe('KMS_INVALID_STATE');
  expect(await report()).toMatchObject({ complete: false });
  rmSync(target);
  await waitFor(() => backups.remove(backupId, true));
  expect(readdirSync(here.folder)).not.toContain(fileName);
  expect(await report()).toMatchObject({ complete: true });
});

test('a name that cannot be looked behind counts, is named, and keeps nothing else from its work', async () => {
  const here = await site(1);
  const backups = backupsOf(here);
  const { report, destroy } = await keyOf(here, backups);
  const { fileName } = await ended(backups, await backups.startBackup());
  await destroy();
  symlinkSync('circle', join(here.folder, 'circle'));
  symlinkSync(fileName, join(here.folder, 'newest'));
  expect((await report()).retainingBackups.map((each) => each.fileName)).toEqual(['circle', fileName]);
  expect(backups.summary).toMatchObject({ unreadable: [] });
  renameSync(join(here.folder, fileName), join(here.folder, 'renamed'));
  backups.start();
  await waitFor(async () => {
    expect((await report()).retainingBackups).toMatchObject([
      { fileName: 'circle', place: 'UNCERTAIN' },
      { fileName: 'newest', place: 'UNCERTAIN' },
      { fileName: 'renamed', place: 'FOLDER' },
    ]);
  });
  expect(backups.summary).toMatchObject({ unreadable: ['circle', 'newest'] });
});

test('an archive counts also under the name of another, and in a file that was looked at while it was empty', async () => {
  const here = await site(1);
  const backups = backupsOf(here);
  const { report, destroy } = await keyOf(here, backups);
  const first = await ended(backups, await backups.startBackup());
  const target = join(here.on.folder, 'elsewhere');
  renameSync(join(here.folder, first.fileName), target);
  await destroy();
  const second = await makeLater(here, backups);
  await waitFor(() => backups.remove(first.backupId, true));
  expect(await report()).toMatchObject({ complete: true });
  const of = (fileName: string) => ({ backupId: first.backupId, fileName, place: 'FOLDER' });
  copyFileSync(target, join(here.folder, second.fileName));
  expect(await report()).toMatchObject({ complete: false, retainingBackups: [of(second.fileName)] });
  rmSync(join(here.folder, second.fileName));
  const bytes = readFileSync(target);
  writeFileSync(join(here.folder, '.preallocated'), Buffer.alloc(bytes.length));
  expect(await report()).toMatchObject({ complete: true });
  writeFileSync(join(here.folder, '.preallocated'), bytes);
  expect(await report()).toMatchObject({ complete: false, retainingBackups: [of('.preallocated')] });
});

test('nothing is believed of an archive that ends in the middle', async () => {
  const here = await site(1);
  const backups = backupsOf(here);
  const { report, destroy } = await keyOf(here, backups);
  await destroy();
  // It says that it was begun long after, and is one that the catalog has.
  const { fileName, backupId } = await makeLater(here, backups);
  const bytes = readFileSync(join(here.folder, fileName));
  writeFileSync(join(here.folder, 'cut'), bytes.subarray(0, -100));
  expect(await report()).toMatchObject({ complete: false, retainingBackups: [{ fileName: 'cut' }] });
  backups.start();
  await waitFor(async () => expect(await here.on.catalog.listBackups(undefined, 10)).toHaveLength(2));
  expect(await report()).toMatchObject({ complete: false, retainingBackups: [{ fileName: 'cut', place: 'FOLDER' }] });
  expect(await backups.find(backupId)).toMatchObject({ state: 'COMPLETE', place: 'FOLDER', copiedTime: null });
});

test('a damaged archive counts until it is removed', async () => {
  const here = await site(1);
  const backups = backupsOf(here);
  const { report, destroy } = await keyOf(here, backups);
  writeFileSync(join(here.folder, 'damaged'), 'holdfast backup 1\nand then something else');
  await destroy();
  expect(await report()).toMatchObject({
    complete: false,
    retainingBackups: [{ fileName: 'damaged', place: 'FOLDER' }],
  });
  backups.start();
  const [record] = await waitFor(async () => {
    const records = await here.on.catalog.listBackups(undefined, 10);
    expect(records).toMatchObject([{ state: 'UNKNOWN', fileName: 'damaged' }]);
    return records;
  });
  expect(await report()).toMatchObject({ complete: false, retainingBackupCount: 1 });
  await waitFor(() => backups.remove(record!.backupId, false));
  expect(readdirSync(here.folder)).toEqual([]);
  expect(await report()).toMatchObject({ complete: true });
});

test('an archive whose file is absent counts until an operator says that no copy is left', async () => {
  const here = await site(1);
  const backups = backupsOf(here);
  const { report, destroy } = await keyOf(here, backups);
  const { backupId, fileName } = await ended(backups, await backups.startBackup());
  await destroy();
  await makeLater(here, backups);
  rmSync(join(here.folder, fileName));
  expect(await report()).toMatchObject({ complete: false, retainingBackups: [{ backupId, place: 'ABSENT' }] });
  await waitFor(async () => expect(await codeOf(backups.remove(backupId, false))).toBe('KMS_INVALID_STATE'));
  expect(await report()).toMatchObject({ complete: false });
  await waitFor(() => backups.remove(backupId, true));
  expect(await report()).toMatchObject({ complete: true });
  expect(await here.on.catalog.findBackup(backupId)).toMatchObject({ goneTime: here.clock.now() });
});

test('an archive that was read counts after its removal, until an operator says that no copy is left', async () => {
  const here = await site(1);
  const backups = backupsOf(here);
  const { report, destroy } = await keyOf(here, backups);
  const { backupId, fileName } = await ended(backups, await backups.startBackup());
  await backups.read(backupId, 0);
  copyFileSync(join(here.folder, fileName), join(here.folder, 'second'));
  await destroy();
  await makeLater(here, backups);
  await waitFor(() => backups.remove(backupId, false));
  expect(await report()).toMatchObject({
    complete: false,
    retainingBackups: [
      { fileName: 'second', place: 'FOLDER' },
      { backupId, fileName, place: 'COPIED' },
    ],
  });
  await waitFor(() => backups.remove(backupId, true));
  // What an operator says does not hide what is there.
  expect(await report()).toMatchObject({
    complete: false,
    retainingBackups: [{ fileName: 'second', place: 'FOLDER' }],
  });
  rmSync(join(here.folder, 'second'));
  expect(await report()).toMatchObject({ complete: true });
});

test('archives that a restored catalog does not know count until an operator says that none is left', async () => {
  const here = await site(1);
  const backups = backupsOf(here);
  const { report, destroy } = await keyOf(here, backups);
  const made = await makeLater(here, backups);
  const unknown = { ...made, state: 'UNKNOWN', generations: [], fileName: '', backupId: 'ab'.repeat(16) } as const;
  await here.on.catalog.recordBackup({ ...unknown, unknownSince: new Date(0) });
  await destroy();
  await makeLater(here, backups);
  await waitFor(() => backups.remove(made.backupId, true));
  const left = { backupId: unknown.backupId, place: 'UNKNOWN', unknownSince: new Date(0) };
  expect(await report()).toMatchObject({ complete: false, retainingBackups: [left] });
  await waitFor(async () => expect(await codeOf(backups.remove(unknown.backupId, false))).toBe('KMS_INVALID_STATE'));
  await waitFor(() => backups.remove(unknown.backupId, true));
  expect(await report()).toMatchObject({ complete: true });
});

test('a report of a folder that cannot be read is no report', async () => {
  const here = await site(1);
  const backups = backupsOf(here);
  const { report } = await keyOf(here, backups);
  rmSync(here.folder, { recursive: true });
  await expect(report()).rejects.toMatchObject({ code: 'KMS_INVALID_STATE', retryable: true });
});

test('a verification beside a removal does not bring the archive back', async () => {
  const here = await site(1);
  const remover = backupsOf(here, {}, 'another process');
  const first = await ended(remover, await remover.startBackup());
  await makeLater(here, remover);
  let isRemoved = false;
  const { catalog } = here.on;
  // Between the look before the lease and the lease.
  const findBackup = async (backupId: string): Promise<BackupRecord | undefined> => {
    const found = await catalog.findBackup(backupId);
    if (!isRemoved) await waitFor(() => remover.remove(backupId, false));
    isRemoved = true;
    return found;
  };
  const verifier = backupsOf(here, { catalog: { ...catalog, findBackup } });
  expect(await codeOf(verifier.startVerification(first.backupId))).toBe('NOT_FOUND');
  expect(await catalog.findBackup(first.backupId)).toMatchObject({ removedTime: here.clock.now(), verification: null });
});

test('an archive whose file is absent fails its verification, and is no longer the newest complete one', async () => {
  const here = await site(1);
  const backups = backupsOf(here);
  const { backupId, fileName } = await ended(backups, await backups.startBackup());
  rmSync(join(here.folder, fileName));
  await waitFor(() => backups.startVerification(backupId));
  await waitFor(async () =>
    expect(await backups.find(backupId)).toMatchObject({
      ...{ verification: 'FAILED', place: 'ABSENT' },
      verificationFailure: 'Its file is not in the folder of backups any more.',
    }),
  );
  expect(backups.summary).toMatchObject({ lastComplete: undefined, isLastRefused: true, absent: 1 });
});
