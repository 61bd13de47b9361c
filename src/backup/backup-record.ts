import type { MaterialRecord } from '../keys/key.js';

/** Who began a backup. */
export type BackupTrigger = 'OPERATOR' | 'SCHEDULE';

/**
 * `COMPLETE`: every key material that the service can archive is in it. `INCOMPLETE`: some were on no member, or on none that could
 * be asked; the archive is good for the others. `FAILED`: there is no archive. `UNKNOWN`: there may be an archive, or several, of
 * which the catalog does not know the content: it was restored from a copy that is older than they are, or the file is damaged.
 */
export type BackupState = 'RUNNING' | 'COMPLETE' | 'INCOMPLETE' | 'FAILED' | 'UNKNOWN';

/** The catalog's record of a backup. Never removed: the report of a deletion names the backups that hold the material. */
export interface BackupRecord {
  /** The archive's id: 32 lower-case hex digits. */
  backupId: string;
  /** In the folder of backups. Empty for archives that a restored catalog does not know: they may have any name. */
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
  /**
   * When somebody first read its archive, and so may have a copy elsewhere; or when the catalog was restored: it does not know who
   * read it since.
   */
  copiedTime: Date | null;
  /** When an operator said that no copy of it is left anywhere. */
  goneTime: Date | null;
  /** Not null exactly if the state is `UNKNOWN`: what it stands for was begun from then until `startTime`. */
  unknownSince: Date | null;
}

/** Where a page of backups begins: after this one, in the order of the list. */
export type BackupPosition = Pick<BackupRecord, 'startTime' | 'backupId'>;

/** The port to the durable record of backups. Every promise that resolves after a write means "committed and synced". */
export interface BackupCatalog {
  /** Inserts a record, or replaces the one with this id; `copiedTime` of one that is there stays as it is. */
  recordBackup(record: BackupRecord): Promise<void>;
  /** Notes that somebody read the archive, if it is the first time. */
  recordBackupCopy(backupId: string, date: Date): Promise<void>;
  findBackup(backupId: string): Promise<BackupRecord | undefined>;
  /** The newest first. */
  listBackups(after: BackupPosition | undefined, limit: number): Promise<BackupRecord[]>;
  /**
   * The newest first: those that run, those whose archive should be in the folder, the newest that has ended, and the newest
   * of the schedule. Their number does not grow with the years.
   */
  listCurrentBackups(): Promise<BackupRecord[]>;
  /** The newest first: all whose archive may exist somewhere, as `mayExist` says. */
  listRetainingBackups(): Promise<BackupRecord[]>;
}

/** The name of an archive: sorted by name is sorted by date. */
export function archiveName(backupId: string, startTime: Date): string {
  const date = startTime.toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
  return `holdfast-${date}Z-${backupId.slice(0, 8)}.backup`;
}

/** Whether its archive should be in the folder, and can be read. */
export function hasArchive({ state, removedTime }: BackupRecord): boolean {
  return (state === 'COMPLETE' || state === 'INCOMPLETE') && removedTime === null;
}

/**
 * Whether an archive of this backup may exist, in the folder or anywhere else, as far as the catalog knows. Only two things
 * say that it does not: the service removed the only file that ever was, or an operator says that no copy is left.
 */
export function mayExist({ state, removedTime, copiedTime, goneTime }: BackupRecord): boolean {
  return state !== 'FAILED' && goneTime === null && (removedTime === null || copiedTime !== null);
}

/** What the folder of backups has under a name. */
export interface FolderFile {
  sizeBytes: number;
  /** A symbolic link is not: where it leads is not the folder. */
  isReadable: boolean;
  /** The archive that it says it is; undefined if it does not begin as one. */
  archiveId: string | undefined;
}

/** The files in the folder, by name. */
export type FolderFiles = ReadonlyMap<string, FolderFile>;

/** Whether the file under the name of a backup is its archive, as far as its beginning and its length tell. */
export function isInFolder({ backupId, fileName, state, sizeBytes }: BackupRecord, files: FolderFiles): boolean {
  const file = files.get(fileName);
  if (file === undefined || !file.isReadable) return false;
  // Of one that is unknown the beginning says nothing.
  if (state !== 'UNKNOWN' && file.archiveId !== backupId) return false;
  return sizeBytes === null || sizeBytes === file.sizeBytes;
}

/**
 * Where the archive of a backup is. `FOLDER`: its file is there. `MAKING`: it is being made. `ABSENT`: its file should be in the
 * folder and is not; it may exist elsewhere. `UNCERTAIN`: as that, and something else has its name, or it cannot be read.
 * `COPIED`: it was removed from the folder, and somebody had read it before. `UNKNOWN`: it may exist, and the catalog knows
 * nothing of it. `NOWHERE`: there is none.
 */
export type ArchivePlace = 'FOLDER' | 'MAKING' | 'ABSENT' | 'UNCERTAIN' | 'COPIED' | 'UNKNOWN' | 'NOWHERE';

/** @param files what is in the folder */
export function placeOf(record: BackupRecord, files: FolderFiles): ArchivePlace {
  if (record.state !== 'RUNNING' && isInFolder(record, files)) return 'FOLDER';
  if (!mayExist(record)) return 'NOWHERE';
  if (record.state === 'RUNNING') return 'MAKING';
  if (record.removedTime === null && files.has(record.fileName)) return 'UNCERTAIN';
  if (record.state === 'UNKNOWN') return 'UNKNOWN';
  return record.removedTime === null ? 'ABSENT' : 'COPIED';
}

/**
 * By how much a clock may be wrong: that of another node, one in the time of another zone (up to 14 hours), one that was set
 * by hand. A date that is nearer does not say what was first.
 */
const toleranceMs = 25 * 3_600_000;

/**
 * Whether a backup that may exist may hold a material: it began while the material existed, give or take 25 hours, and its
 * cluster is one of those whose keys are in it, which nobody knows of one that runs or is unknown. What the configuration
 * says of the cluster today says nothing of the archive. It may turn out to lack the material; a report must not call a
 * deletion complete too early.
 */
export function holdsMaterial(
  { state, generations, startTime, unknownSince }: BackupRecord,
  { clusterId, creationDate, destroyedDate }: Pick<MaterialRecord, 'clusterId' | 'creationDate' | 'destroyedDate'>,
): boolean {
  const isOpen = state === 'RUNNING' || state === 'UNKNOWN';
  const hasCluster = isOpen || generations.some((generation) => generation.clusterId === clusterId);
  const isAfter = startTime.getTime() >= creationDate.getTime() - toleranceMs;
  const firstMs = (unknownSince ?? startTime).getTime();
  return hasCluster && isAfter && (destroyedDate === null || firstMs <= destroyedDate.getTime() + toleranceMs);
}
