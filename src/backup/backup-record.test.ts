import { expect, test } from 'vitest';
import { archiveName, type BackupRecord, outdated, summaryOf } from './backup-record.js';

let day = 0;
/** Each is a day older than the one before. */
function backup(change: Partial<BackupRecord> = {}): BackupRecord {
  const startTime = new Date(Date.UTC(2026, 5, 28 - day++));
  return {
    ...{ backupId: String(day).padStart(32, '0'), fileName: `${day}`, trigger: 'SCHEDULE', state: 'COMPLETE' },
    ...{ startTime, endTime: startTime, sizeBytes: 1, keyMaterials: 1, absentKeyMaterials: 0, generations: [] },
    ...{ failure: null, verification: null, verificationTime: null, verificationFailure: null, removedTime: null },
    ...change,
  };
}

test('retention removes scheduled archives beyond the newest complete ones', () => {
  const records = [backup(), backup(), backup(), backup()];
  expect(outdated(records, 2)).toEqual(records.slice(2));
  expect(outdated(records, 4)).toEqual([]);
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
  expect(outdated(records, 1)).toEqual([records[4]]);
});

test('an incomplete archive stays while it is newer than what is kept, and nothing goes without a complete one', () => {
  const [newer, complete, older] = [backup({ state: 'INCOMPLETE' }), backup(), backup({ state: 'INCOMPLETE' })];
  expect(outdated([newer, complete, older], 1)).toEqual([older]);
  expect(outdated([newer, older], 1)).toEqual([]);
});

test('a summary has the newest complete and the last verified archive', () => {
  const running = backup({ state: 'RUNNING' });
  const failed = backup({ state: 'FAILED' });
  const removed = backup({ removedTime: new Date() });
  const good = backup();
  const refused = backup({ verification: 'FAILED', verificationTime: new Date(2_000) });
  const passed = backup({ verification: 'PASSED', verificationTime: new Date(1_000) });
  expect(summaryOf([running, failed, removed, good, refused, passed], 1_000)).toEqual({
    ...{ everyMs: 1_000, lastComplete: good, lastVerified: passed, isLastIncomplete: true, isLastRefused: true },
  });
  expect(summaryOf([], null)).toMatchObject({ isLastIncomplete: false, isLastRefused: false });
});

test('names of archives sort by date', () => {
  expect(archiveName('ab'.repeat(16), new Date('2026-03-01T10:20:30.456Z'))).toBe(
    'holdfast-20260301T102030Z-abababab.backup',
  );
});
