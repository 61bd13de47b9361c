import { chmodSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { HoldfastError } from '../../src/errors.js';
import { archiveFolder } from '../../src/storage/archive-folder.js';
import { waitFor } from '../wait-for.js';
import { archiveOf, backupsOf, closeSite, ended, keyOf, type Site, site, storageOf } from './backup-site.js';
import { clusterId, codeOf } from './fixture.js';

/** Backups of a service on a wrapped cluster: by operators, by the clock, and several processes at once. */

const hourMs = 3_600_000;

afterEach(closeSite);

const acts = ({ on }: Site): string[] =>
  on.auditEvents.map(({ operation, outcome }) => `${operation} ${outcome}`).filter((act) => /Backup/.test(act));

test('a backup is recorded, audited, verified by all its keys, and read in parts', async () => {
  const here = await site();
  const backups = backupsOf(here);
  const backupId = await backups.startBackup();
  expect(await ended(backups, backupId)).toMatchObject({
    ...{ state: 'COMPLETE', trigger: 'OPERATOR', keyMaterials: 2, absentKeyMaterials: 0, failure: null },
    generations: [{ clusterId, generation: 1 }],
  });
  await backups.startVerification(backupId);
  await waitFor(async () => expect(await backups.find(backupId)).toMatchObject({ verification: 'PASSED' }));
  const { data, sizeBytes } = await backups.read(backupId, 0);
  expect(data.length).toBe(sizeBytes);
  expect((await backups.read(backupId, sizeBytes - 3)).data.length).toBe(3);
  expect(acts(here)).toEqual([
    'MakeBackup started',
    'MakeBackup success',
    'VerifyBackup started',
    'VerifyBackup success',
  ]);
});

test('one process at a time works on backups, and the one after a crash ends what was left', async () => {
  const here = await site();
  let proceed = (): void => undefined;
  const held = new Promise<void>((resolve) => (proceed = resolve));
  const waiting = backupsOf(here);
  const turn = (): Promise<void> => held;
  const busy = backupsOf(here, { archive: { ...archiveOf(here), turn } }, 'another process');
  const backupId = await busy.startBackup();
  await expect(waiting.startBackup()).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', retryable: true });
  proceed();
  const record = await ended(busy, backupId);
  await waitFor(async () => expect(await codeOf(waiting.startVerification(backupId))).toBe('no error'));
  await waitFor(async () => expect(await waiting.find(backupId)).toMatchObject({ verification: 'PASSED' }));
  // As a process that was killed leaves it.
  const running = { ...record, state: 'RUNNING', endTime: null, sizeBytes: null } as const;
  const fileName = 'holdfast-20260101T000000Z-eeeeeeee.backup';
  await here.on.catalog.recordBackup({ ...running, backupId: 'ee'.repeat(16), fileName });
  // Its archive had its name, and was moved away before anybody looked.
  await here.on.catalog.recordBackup({ ...running, backupId: 'dd'.repeat(16), fileName: 'moved' });
  const left = `.${fileName}.1-${'a'.repeat(12)}.partial`;
  for (const name of [left, `.catalog.snapshot.1-${'a'.repeat(12)}.partial`])
    writeFileSync(join(here.folder, name), 'left');
  writeFileSync(join(here.folder, '.of-mine.partial'), 'mine');
  const next = await waitFor(() => waiting.startBackup());
  await ended(waiting, next);
  expect(await here.on.catalog.findBackup('ee'.repeat(16))).toMatchObject({
    state: 'FAILED',
    failure: 'The process that made it has ended.',
  });
  expect(await waiting.find('dd'.repeat(16))).toMatchObject({ state: 'UNKNOWN', place: 'UNKNOWN' });
  expect(readdirSync(here.folder).filter((name) => name.startsWith('.'))).toEqual(['.of-mine.partial']);
});

test('a folder that cannot be written fails the backup, by name and without a rest', async () => {
  const here = await site();
  const backups = backupsOf(here);
  rmSync(here.folder, { recursive: true });
  const failed = await ended(backups, await backups.startBackup());
  expect(failed).toMatchObject({ state: 'FAILED', sizeBytes: null });
  expect(failed.failure).toBe(`It failed (ENOENT) in the backup folder ${here.folder}.`);
  expect(await codeOf(backups.read(failed.backupId, 0))).toBe('NOT_FOUND');
});

test('a folder that others may write to fails the backup, with the remedy', async () => {
  const here = await site(1);
  const backups = backupsOf(here);
  chmodSync(here.folder, 0o777);
  const failed = await ended(backups, await backups.startBackup());
  expect(failed).toMatchObject({
    state: 'FAILED',
    failure:
      `The backup folder ${here.folder} may be written by other users (mode 777), who can take archives away or replace them: ` +
      `chmod 700 ${here.folder}`,
  });
  expect(readdirSync(here.folder)).toEqual([]);
});

test('a disk that is full fails the backup, and the partial archive is removed', async () => {
  const here = await site();
  const folder = archiveFolder(here.folder);
  const full: typeof folder = {
    ...folder,
    async create(name) {
      const archive = await folder.create(name);
      let room = 5_000;
      const write = (bytes: Uint8Array): Promise<void> => {
        room -= bytes.length;
        const error = Object.assign(new Error('no space'), { code: 'ENOSPC' });
        return room < 0 ? Promise.reject(error) : archive.write(bytes);
      };
      return { write, publish: () => archive.publish(), discard: () => archive.discard() };
    },
  };
  const backups = backupsOf(here, { storage: { ...storageOf(here), folder: full } });
  expect(await ended(backups, await backups.startBackup())).toMatchObject({ state: 'FAILED' });
  expect(readdirSync(here.folder)).toEqual([]);
  expect(acts(here)).toEqual(['MakeBackup started', 'MakeBackup failed']);
});

test('the schedule makes one in time, keeps the newest, and removes nothing that it did not make', async () => {
  const here = await site(1);
  const backups = backupsOf(here, { everyMs: hourMs, keep: 2 });
  writeFileSync(join(here.folder, 'holdfast-of-mine.backup'), 'mine');
  const byOperator = await ended(backups, await backups.startBackup());
  backups.start();
  for (let round = 1; round <= 4; round++) {
    await waitFor(async () => {
      const scheduled = (await here.on.catalog.listBackups(undefined, 100)).filter(
        ({ trigger }) => trigger === 'SCHEDULE',
      );
      expect(scheduled.filter(({ state }) => state === 'COMPLETE')).toHaveLength(round);
      expect(scheduled.filter(({ removedTime }) => removedTime === null)).toHaveLength(Math.min(round, 2));
      expect(here.clock.scheduled).toBe(1);
    });
    if (round < 4) here.clock.advance(hourMs);
  }
  const kept = (await here.on.catalog.listBackups(undefined, 100)).filter(({ removedTime }) => removedTime === null);
  expect(kept.map(({ trigger }) => trigger).sort()).toEqual(['OPERATOR', 'SCHEDULE', 'SCHEDULE']);
  const names = [...kept.map(({ fileName }) => fileName), 'holdfast-of-mine.backup'];
  expect(readdirSync(here.folder).sort()).toEqual(names.sort());
  expect(kept.map(({ backupId }) => backupId)).toContain(byOperator.backupId);
});

test('without a folder every request is refused', async () => {
  const backups = backupsOf(await site(0), { storage: undefined });
  await expect(backups.startBackup()).rejects.toBeInstanceOf(HoldfastError);
  expect(await codeOf(backups.startVerification('0'.repeat(32)))).toBe('UNSUPPORTED_OPERATION');
});

test('a deletion is complete once no backup that may hold the key is left', async () => {
  const here = await site(2);
  const backups = backupsOf(here);
  const { keyId, report, destroy } = await keyOf(here, backups);
  expect(await report()).toEqual({ keyId, complete: false, retainingBackups: [], retainingBackupCount: 0 });

  const holding = await ended(backups, await backups.startBackup());
  const deletionDate = await destroy();
  const { backupId, fileName, startTime } = holding;
  expect(await report()).toEqual({
    ...{ keyId, complete: false, destroyedTime: deletionDate },
    retainingBackups: [{ backupId, fileName, startTime, place: 'FOLDER' }],
    retainingBackupCount: 1,
  });

  await waitFor(async () => expect(await codeOf(backups.remove(backupId, false))).toBe('KMS_INVALID_STATE'));
  // More than a clock may be wrong.
  here.clock.advance(26 * 3_600_000);
  await ended(backups, await backups.startBackup());
  await waitFor(async () => expect(await codeOf(backups.remove(backupId, false))).toBe('no error'));
  expect(readdirSync(here.folder)).not.toContain(fileName);
  expect(await report()).toMatchObject({ complete: true, retainingBackups: [] });
});

test('a service that stops ends its backup as failed, and leaves no part of it', async () => {
  const here = await site(2);
  const turn = async (signal: AbortSignal): Promise<void> => {
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
  };
  const backups = backupsOf(here, { archive: { ...archiveOf(here), turn } });
  const backupId = await backups.startBackup();
  await backups.stop();
  expect(await here.on.catalog.findBackup(backupId)).toMatchObject({
    state: 'FAILED',
    failure: 'The service was stopped.',
  });
  expect(readdirSync(here.folder)).toEqual([]);
});
