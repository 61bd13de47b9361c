import { expect, test } from 'vitest';
import { archiveName, type BackupRecord, type FolderFiles, placeOf } from './backup-record.js';
import { outdated } from './retention.js';
import { summaryOf } from './summary.js';

let day = 0;
/** Each is a day older than the one before. */
function backup(change: Partial<BackupRecord> = {}): BackupRecord {
  const startTime = new Date(Date.UTC(2026, 5, 28 - day++));
  return {
    ...{ backupId: String(day).padStart(32, '0'), fileName: `${day}`, trigger: 'SCHEDULE', state: 'COMPLETE' },
    ...{ startTime, endTime: startTime, sizeBytes: 1, keyMaterials: 1, absentKeyMaterials: 0, generations: [] },
    ...{ failure: null, verification: null, verificationTime: null, verificationFailure: null, removedTime: null },
    ...{ copiedTime: null, goneTime: null, unknownSince: null },
    ...change,
  };
}

const all = (records: readonly BackupRecord[]): FolderFiles =>
  new Map(records.map(({ fileName, backupId }) => [fileName, { sizeBytes: 1, isReadable: true, archiveId: backupId }]));
const removedOf = (records: readonly BackupRecord[], keep: number, names = all(records)): BackupRecord[] =>
  outdated(records, keep, names);

test('retention removes scheduled archives beyond the newest complete ones', () => {
  const records = [backup(), backup(), backup(), backup()];
  expect(removedOf(records, 2)).toEqual(records.slice(2));
  expect(removedOf(records, 4)).toEqual([]);
});

test('retention spares what an operator made, failed records, and the newest that was verified', () => {
  const records = [
    backup(),
    backup({ trigger: 'OPERATOR' }),
    backup({ state: 'FAILED' }),
    backup({ verification: 'PASSED', verificationTime: new Date() }),
    backup({ verification: 'PASSED', verificationTime: new Date() }),
    backup({ removedTime: new Date() }),
  ];
  expect(removedOf(records, 1)).toEqual([records[4]]);
});

test('an incomplete archive stays while it is newer than what is kept', () => {
  const [newer, complete, older] = [backup({ state: 'INCOMPLETE' }), backup(), backup({ state: 'INCOMPLETE' })];
  expect(removedOf([newer, complete, older], 1)).toEqual([older]);
});

test('incomplete archives are bounded too, but for the newest with the keys of a cluster', () => {
  const of = (clusterId: string): Partial<BackupRecord> => ({
    state: 'INCOMPLETE',
    generations: [{ clusterId, generation: 1 }],
  });
  const records = [backup(of('one')), backup(of('one')), backup(of('one')), backup(of('other')), backup(of('other'))];
  expect(removedOf(records, 2)).toEqual([records[2], records[4]]);
  const withGood = [...records, backup()];
  expect(removedOf(withGood, 2)).toEqual([records[2], records[4]]);
});

test('a good archive never makes room for those that were refused, or whose file is absent', () => {
  const refused = { verification: 'FAILED', verificationTime: new Date() } as const;
  const records = [backup(refused), backup(refused), backup(refused), backup(), backup(), backup()];
  expect(removedOf(records, 2)).toEqual([records[2], records[5]]);
  const [absent, ...present] = [backup(), backup(), backup(), backup()];
  expect(removedOf([absent, ...present], 2, all(present))).toEqual([present[2]]);
  expect(removedOf([backup(), absent], 1, new Map())).toEqual([]);
});

test('a file of another length, of another archive, or that cannot be read makes no room, and counts as absent', () => {
  const [newest, older, oldest] = [backup(), backup(), backup()];
  const whole = { sizeBytes: 1, isReadable: true, archiveId: newest.backupId };
  const changes = [{ sizeBytes: 0 }, { archiveId: older.backupId }, { archiveId: undefined }, { isReadable: false }];
  for (const change of changes) {
    const files = new Map([...all([older, oldest]), [newest.fileName, { ...whole, ...change }]]);
    expect(removedOf([newest, older, oldest], 1, files)).toEqual([oldest]);
    expect(summaryOf([newest, older], null, files)).toMatchObject({ lastComplete: older, absent: 1 });
    expect(placeOf(newest, files)).toBe('UNCERTAIN');
  }
});

test('a summary has the newest complete and the last verified archive', () => {
  const running = backup({ state: 'RUNNING' });
  const failed = backup({ state: 'FAILED' });
  const removed = backup({ removedTime: new Date() });
  const good = backup();
  const refused = backup({ verification: 'FAILED', verificationTime: new Date(2_000) });
  const passed = backup({ verification: 'PASSED', verificationTime: new Date(1_000) });
  const records = [running, failed, removed, good, refused, passed];
  const expected = { everyMs: 1_000, isLastIncomplete: true, isLastRefused: true };
  const summary = { ...expected, lastComplete: good, lastVerified: passed, absent: 0, unreadable: [] };
  expect(summaryOf(records, 1_000, all(records))).toEqual(summary);
  expect(summaryOf([], null, new Map())).toMatchObject({ isLastIncomplete: false, isLastRefused: false });
  // One that is absent is not there to be restored, and its refusal is still to be heard.
  const names = all([passed]);
  expect(summaryOf(records, 1_000, names)).toEqual({
    ...expected,
    lastComplete: passed,
    lastVerified: passed,
    absent: 2,
    unreadable: [],
  });
});

test('names of archives sort by date', () => {
  expect(archiveName('ab'.repeat(16), new Date('2026-03-01T10:20:30.456Z'))).toBe(
    'holdfast-20260301T102030Z-abababab.backup',
  );
});
