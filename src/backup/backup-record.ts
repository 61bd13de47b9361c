import type { MaterialRecord } from '../keys/key.js';

/** Who began a backup. */
export type BackupTrigger = 'OPERATOR' | 'SCHEDULE';

/**
 * `COMPLETE`: every key material that the service can archive is in it. `INCOMPLETE`: some were on no member, or on none that could
 * be asked; the archive is good for the others. `FAILED`: there is no archive.
 */
export type BackupState = 'RUNNING' | 'COMPLETE' | 'INCOMPLETE' | 'FAILED';

/** The catalog's record of a backup. Never removed: the report of a deletion names the backups that hold the material. */
export interface BackupRecord {
  /** The archive's id: 32 lower-case hex digits. */
  backupId: string;
  /** In the folder of backups. */
  fileName: string;
  trigger: BackupTrigger;
  state: BackupState;
  startTime: Date;
  /** Null while it runs. */
  endTime: Date | null;
  /** The length of the archive; null if there is none. */
  sizeBytes: number | null;
  keyMaterials: number;
  /** Materials that should be in it and are not: on no member, or on none that could be asked. */
  absentKeyMaterials: number;
  /** The generations of wrapping keys without which it cannot be restored. */
  generations: readonly { clusterId: string; generation: number }[];
  /** Why it failed. */
  failure: string | null;
  /**
   * The last verification's outcome; null before the first. `UNAUTHENTICATED`: it is whole, but has no key material and so no
   * MAC; someone may have made it.
   */
  verification: 'PASSED' | 'UNAUTHENTICATED' | 'FAILED' | null;
  verificationTime: Date | null;
  /** Why it failed. */
  verificationFailure: string | null;
  /** When the service removed its archive. */
  removedTime: Date | null;
}

/** The port to the durable record of backups. Every promise that resolves after a write means "committed and synced". */
export interface BackupCatalog {
  /** Inserts a record, or replaces the one with this id. */
  recordBackup(record: BackupRecord): Promise<void>;
  findBackup(backupId: string): Promise<BackupRecord | undefined>;
  /** The newest first. */
  listBackups(): Promise<BackupRecord[]>;
}

/** The name of an archive: sorted by name is sorted by date. */
export function archiveName(backupId: string, startTime: Date): string {
  const date = startTime.toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
  return `holdfast-${date}Z-${backupId.slice(0, 8)}.backup`;
}

/** Whether its archive should be in the folder. */
export function hasArchive({ state, removedTime }: BackupRecord): boolean {
  return (state === 'COMPLETE' || state === 'INCOMPLETE') && removedTime === null;
}

/** How far the clocks of two nodes may be apart, and a little more. */
const toleranceMs = 10 * 60_000;

/**
 * Whether a backup may hold a material: it has keys of the cluster, and began while the material existed. It may turn out to
 * lack it; a report must not call a deletion complete too early.
 */
export function holdsMaterial(
  record: BackupRecord,
  material: Pick<MaterialRecord, 'clusterId' | 'creationDate' | 'destroyedDate'>,
): boolean {
  const { clusterId, creationDate, destroyedDate } = material;
  const hasCluster = record.generations.some((generation) => generation.clusterId === clusterId);
  const startMs = record.startTime.getTime();
  const isAfter = startMs >= creationDate.getTime() - toleranceMs;
  const isBefore = destroyedDate === null || startMs <= destroyedDate.getTime() + toleranceMs;
  return hasArchive(record) && hasCluster && isAfter && isBefore;
}

/**
 * The scheduled backups that retention removes, given all records: those older than the newest `keep` complete ones. What an
 * operator made stays, and so do the newest complete one, whoever made it, and the newest whose verification passed. An
 * incomplete one stays while it is newer than what is kept: it may be all that there is of a key.
 */
export function outdated(records: readonly BackupRecord[], keep: number): BackupRecord[] {
  const present = records.filter(hasArchive).sort((one, other) => other.startTime.getTime() - one.startTime.getTime());
  const scheduled = present.filter(({ trigger }) => trigger === 'SCHEDULE');
  const oldestKept = scheduled.filter(isGood).slice(0, keep).at(-1);
  if (oldestKept === undefined) return [];
  const spared = [present.find(isGood), present.find(({ verification }) => verification === 'PASSED')];
  return scheduled.filter((record) => record.startTime < oldestKept.startTime && !spared.includes(record));
}

/** A complete archive that no verification has refused: only such a one takes the place of an older one. */
function isGood({ state, verification }: BackupRecord): boolean {
  return state === 'COMPLETE' && verification !== 'FAILED';
}

/** What is known of all backups, for metrics. Left out: there is none. */
export interface BackupSummary {
  /** The scheduled interval; undefined: backups are made only when an operator asks. */
  everyMs: number | undefined;
  /** The newest complete archive that is still there. */
  lastComplete: BackupRecord | undefined;
  /** The newest archive that passed its verification, or was found whole. */
  lastVerified: BackupRecord | undefined;
  /** Whether the last backup that ended has no archive, or lacks keys. */
  isLastIncomplete: boolean;
  /** Whether the last verification refused an archive that is still there. */
  isLastRefused: boolean;
}

/** Summarises records, the newest first. */
export function summaryOf(records: readonly BackupRecord[], everyMs: number | null): BackupSummary {
  const present = records.filter(hasArchive);
  const verified = present
    .filter(({ verification }) => verification !== null)
    .sort((one, other) => Number(other.verificationTime) - Number(one.verificationTime));
  const last = records.find(({ state }) => state !== 'RUNNING');
  return {
    everyMs: everyMs ?? undefined,
    lastComplete: present.find(({ state }) => state === 'COMPLETE'),
    lastVerified: verified.find(({ verification }) => verification !== 'FAILED'),
    isLastIncomplete: last !== undefined && last.state !== 'COMPLETE',
    isLastRefused: verified[0]?.verification === 'FAILED',
  };
}
