import { type BackupRecord, type FolderFiles, hasArchive, isInFolder } from './backup-record.js';

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
  /** Archives whose file should be in the folder and is not, or is not as it was. */
  absent: number;
  /** The names in the folder that nobody can look behind. */
  unreadable: readonly string[];
}

/**
 * Summarises records, the newest first.
 * @param files what is in the folder of backups
 */
export function summaryOf(records: readonly BackupRecord[], everyMs: number | null, files: FolderFiles): BackupSummary {
  const recorded = records.filter(hasArchive);
  const isPresent = (record: BackupRecord): boolean => isInFolder(record, files);
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
    unreadable: [...files].filter(([, { isReadable }]) => !isReadable).map(([name]) => name),
  };
}
