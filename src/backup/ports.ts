import type { MaterialReference } from '../clusters/hsm-cluster.js';
import type { MaterialRecord } from '../keys/key.js';
import type { ArchivePlace, BackupPosition, BackupRecord } from './backup-record.js';

/** The ports of backups; `storage/` implements them. */

/** A material of a catalog, with the facts of its key. */
export interface SnapshotMaterial extends MaterialReference {
  clusterId: string;
  account: string;
  region: string;
  keyId: string;
  keySpec: string;
  keyUsage: string;
  creationDate: Date;
}

/** The content of a snapshot. */
export interface SnapshotContent {
  incarnationId: string;
  schemaVersion: number;
  bytes: number;
  /** Keys that are not deleted. */
  keys: number;
  tombstones: number;
  /** The clusters of those keys, with the number of materials that are not destroyed. */
  clusters: readonly { clusterId: string; materials: number }[];
}

/** The catalog as it was at one moment, in a file of its own. */
export interface CatalogSnapshot {
  readonly content: SnapshotContent;
  /** The file, from its first byte to its last. */
  bytes(): AsyncIterable<Uint8Array>;
  /** The materials of a cluster that are not destroyed, ascending by id, from the first after `afterMaterialId`. */
  materials(clusterId: string, afterMaterialId: string | undefined, limit: number): SnapshotMaterial[];
  /** Removes the file. */
  discard(): void;
}

/** Makes snapshots of the catalog. */
export interface CatalogSnapshots {
  /** Rejects with a `BackupStorageError` if there is no room. */
  take(): Promise<CatalogSnapshot>;
}

/** The catalog of an archive, which is written to a file of its own and looked into when it is whole. */
export interface CatalogInspection {
  /** Rejects with a `BackupStorageError` if there is no room. */
  write(bytes: Uint8Array): Promise<void>;
  /** @throws ArchiveRefusal if it is damaged, a reference leads nowhere, or it is no catalog that this version has made */
  content(): Promise<SnapshotContent>;
  /** Removes the file. */
  discard(): Promise<void>;
}

/** An archive in the making. It appears under its name complete, or not at all. */
export interface NewArchive {
  write(bytes: Uint8Array): Promise<void>;
  /** Syncs it and gives it its name. */
  publish(): Promise<void>;
  /** Removes its remains. Harmless after `publish`. */
  discard(): Promise<void>;
}

/** A file in the folder of archives, or a symbolic link. */
export interface FolderEntry {
  sizeBytes: number;
  /** Another one whenever the file is written or replaced. */
  version: string;
  isLink: boolean;
}

/** The folder of archives. Names are those that `archiveName` makes; others are no business of the service. */
export interface ArchiveFolder {
  /** Rejects with a `BackupStorageError` if others may write to the folder. */
  requireOwn(): Promise<void>;
  /** The files in it by name, but for partial ones, and links that lead to another of its files. */
  list(): Promise<ReadonlyMap<string, FolderEntry>>;
  /** The names of archives of which there is only the partial file: nothing has ever had the name. */
  unpublished(): Promise<ReadonlySet<string>>;
  /** Removes partial archives and snapshots, which a process that was killed has left. Only under the lease of backups. */
  removeAbandoned(): Promise<void>;
  /** Begins an archive. */
  create(name: string): Promise<NewArchive>;
  /** An archive, from its first byte to its last. */
  read(name: string): AsyncIterable<Uint8Array>;
  /** A part of it; shorter at its end. */
  readAt(name: string, offset: number, maxBytes: number): Promise<Uint8Array>;
  /** Its length; undefined if there is none of this name. */
  sizeOf(name: string): Promise<number | undefined>;
  /** Harmless if it is gone. */
  remove(name: string): Promise<void>;
}

/** The backup's folder failed. The message is for operators: it names the path and never has a secret. */
export class BackupStorageError extends Error {
  override readonly name = 'BackupStorageError';
}

/** Work on a backup, and how many materials it has archived or proved. */
export interface BackupWork {
  kind: 'MAKING' | 'VERIFYING';
  done: number;
  total: number;
}

/** A backup as operators see it. */
export interface BackupReport extends BackupRecord {
  /** Where its archive is now. */
  place: ArchivePlace;
  /** The work on it that is under way in this process. */
  work: BackupWork | undefined;
}

/** The port to backups for operators. Implemented by `jobs/backups.ts`. */
export interface BackupAdministration {
  /**
   * Begins a backup and answers with its id.
   * @throws UNSUPPORTED_OPERATION without a folder of backups, LIMIT_EXCEEDED while another backup or verification runs
   */
  startBackup(): Promise<string>;
  /** Begins to verify a backup. An archive whose file is absent fails its verification. @throws NOT_FOUND, and as `startBackup` */
  startVerification(backupId: string): Promise<void>;
  /** At most `limit`, the newest first, from the first after `after`. */
  list(after: BackupPosition | undefined, limit: number): Promise<BackupReport[]>;
  find(backupId: string): Promise<BackupReport | undefined>;
  /**
   * As of the last minute: the newest archive in the folder with keys of the cluster, unless its verification refused it.
   * Undefined if there is none.
   */
  newestOf(clusterId: string): BackupRecord | undefined;
  /**
   * All that may hold one of these materials, the newest first: those of the catalog, and archives in the folder that it does
   * not know yet.
   * @throws KMS_INVALID_STATE if the folder cannot be read: then nobody knows
   */
  mayHold(materials: readonly MaterialRecord[]): Promise<BackupReport[]>;
  /**
   * Removes the archive of a backup, if it is still there; its record stays.
   * @param noCopyIsLeft the operator says that it exists nowhere else either
   * @throws NOT_FOUND, LIMIT_EXCEEDED as `startBackup`; KMS_INVALID_STATE for the newest complete one, and for one that is not
   * in the folder unless no copy is left
   */
  remove(backupId: string, noCopyIsLeft: boolean): Promise<void>;
  /** A part of an archive; shorter at its end. From the first on, a copy may exist elsewhere. @throws NOT_FOUND */
  read(backupId: string, offset: number): Promise<{ data: Uint8Array; sizeBytes: number }>;
}
