import { type BackupRecord, hasArchive } from './backup-record.js';

/** What is known of all backups, for metrics. Left out: there is none. */
export interface BackupSummary {
  /** The scheduled interval; undefined: backups are made only when an operator asks. */
  everyMs: number | undefined;
  /** The newest complete archive whose file is in the folder. */
  lastComplete: BackupRecord | undefined;
  /** The newest verification that an archive passed, or found it whole, of those whose files are in the folder. */
  lastVerified: BackupRecord | undefined;
  /** Whether the last backup that ended has no archive, or lacks keys. */
  isLastIncomplete: boolean;
  /** Whether the last verification refused an archive that nobody has removed since, or did not find its file. */
  isLastRefused: boolean;
  /** Archives whose file should be in the folder and is not. */
  absent: number;
}

/**
 * Summarises records, the newest first.
 * @param names the files in the folder of backups
 */
export function summaryOf(
  records: readonly BackupRecord[],
  everyMs: number | null,
  names: ReadonlySet<string>,
): BackupSummary {
  const recorded = records.filter(hasArchive);
  const isPresent = ({ fileName }: BackupRecord): boolean => names.has(fileName);
  const verified = recorded
    .filter(({ verification }) => verification !== null)
    .sort((one, other) => Number(other.verificationTime) - Number(one.verificationTime));
  const last = records.find(({ state }) => state !== 'RUNNING' && state !== 'UNKNOWN');
  return {
    everyMs: everyMs ?? undefined,
    lastComplete: recorded.find((record) => record.state === 'COMPLETE' && isPresent(record)),
    lastVerified: verified.find((record) => record.verification !== 'FAILED' && isPresent(record)),
    isLastIncomplete: last !== undefined && last.state !== 'COMPLETE',
    isLastRefused: verified[0]?.verification === 'FAILED',
    absent: recorded.filter((record) => !isPresent(record)).length,
  };
}
