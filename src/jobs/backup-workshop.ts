import type { ActAudit, ActName } from '../audit/act-audit.js';
import type { BackupRecord } from '../backup/backup-record.js';
import { type ArchiveTools, createArchive } from '../backup/create-archive.js';
import { contentOf } from '../backup/created-content.js';
import {
  type ArchiveFolder,
  BackupStorageError,
  type BackupWork,
  type CatalogInspection,
  type CatalogSnapshots,
} from '../backup/ports.js';
import { ArchiveRefusal } from '../backup/refusal.js';
import { type VerifiedArchive, verifyArchive } from '../backup/verify-archive.js';
import { HoldfastError } from '../errors.js';
import type { BackgroundErrorListener } from '../keys/core.js';

/** Where archives are, and how the catalog in them is made. */
export interface BackupStorage {
  folder: ArchiveFolder;
  snapshots: CatalogSnapshots;
  /** Begins to look into the catalog of an archive. Rejects with a `BackupStorageError` if there is no room. */
  inspectCatalog: () => Promise<CatalogInspection>;
}

/** The dependencies of the work. */
export interface BackupWorkOptions {
  archive: ArchiveTools;
  audit: ActAudit;
  /** Ends the work between two materials. */
  stopping: AbortSignal;
  onBackgroundError: BackgroundErrorListener;
}

/** Makes an archive, or proves one, as an act of the service; turns failures into words for operators. */
export class BackupWorkshop {
  readonly #options: BackupWorkOptions;
  readonly #work = new Map<string, BackupWork>();

  constructor(options: BackupWorkOptions) {
    this.#options = options;
  }

  /** The work on a backup that is under way. */
  workOn(backupId: string): BackupWork | undefined {
    return this.#work.get(backupId);
  }

  /** Notes a verification that is about to begin. */
  announce(backupId: string): void {
    this.#work.set(backupId, { kind: 'VERIFYING', done: 0, total: 0 });
  }

  /** Notes that it is over. Only once its outcome is recorded: who sees no work any more looks for that. */
  conclude(backupId: string): void {
    this.#work.delete(backupId);
  }

  /** @returns what has changed in the record: how it ended */
  make(record: BackupRecord, storage: BackupStorage): Promise<Partial<BackupRecord>> {
    return this.#outcome('MakeBackup', record, () => this.#write(record, storage));
  }

  /**
   * @returns the outcome of the verification; nothing without one: a member was away, or the service was stopped, and the last
   * verification stays
   */
  async verify(
    record: BackupRecord,
    storage: BackupStorage,
  ): Promise<Pick<BackupRecord, 'verification' | 'verificationFailure'> | undefined> {
    const { verification, failure } = await this.#outcome('VerifyBackup', record, () => this.#prove(record, storage));
    if (verification !== undefined) return { verification, verificationFailure: null };
    return failure === null || failure === undefined
      ? undefined
      : { verification: 'FAILED', verificationFailure: failure };
  }

  async #write(record: BackupRecord, { folder, snapshots }: BackupStorage): Promise<Partial<BackupRecord>> {
    await folder.requireOwn();
    await folder.removeAbandoned();
    const snapshot = await snapshots.take();
    try {
      const target = await folder.create(record.fileName);
      try {
        const created = await createArchive(this.#options.archive, {
          archiveId: record.backupId,
          snapshot,
          sink: (bytes) => target.write(bytes),
          onProgress: (progress) => void this.#work.set(record.backupId, { kind: 'MAKING', ...progress }),
          signal: this.#options.stopping,
        });
        await target.publish();
        const { manifest, totals, bytes: sizeBytes } = created;
        const state = created.isComplete ? 'COMPLETE' : 'INCOMPLETE';
        return { ...contentOf(manifest, totals), sizeBytes, state };
      } finally {
        await target.discard();
      }
    } finally {
      snapshot.discard();
    }
  }

  async #prove(record: BackupRecord, { folder, inspectCatalog }: BackupStorage): Promise<Partial<BackupRecord>> {
    if ((await folder.sizeOf(record.fileName)) === undefined)
      throw new ArchiveRefusal('absent', 'Its file is not in the folder of backups any more.');
    const { archive } = this.#options;
    const isConfigured = (clusterId: string): boolean =>
      archive.clusters().some((cluster) => cluster.clusterId === clusterId);
    await folder.removeAbandoned();
    const catalog = await inspectCatalog();
    try {
      const verified = await verifyArchive(
        { ...archive, isConfigured },
        {
          catalog,
          chunks: folder.read(record.fileName),
          onProgress: (progress) => void this.#work.set(record.backupId, { kind: 'VERIFYING', ...progress }),
          signal: this.#options.stopping,
        },
      );
      requireProved(record, verified);
      return { verification: verified.isAuthenticated ? 'PASSED' : 'UNAUTHENTICATED' };
    } finally {
      await catalog.discard();
    }
  }

  /** Audits the work, and turns its failure into words for operators. */
  async #outcome(
    operation: ActName,
    { backupId, trigger }: BackupRecord,
    work: () => Promise<Partial<BackupRecord>>,
  ): Promise<Partial<BackupRecord>> {
    const act = { operation, resources: [], parameters: { backup_id: backupId, trigger } };
    try {
      return await this.#options.audit.perform(act, work);
    } catch (error) {
      this.#options.onBackgroundError(error, `backup ${backupId}`);
      if (operation === 'VerifyBackup' && !(error instanceof ArchiveRefusal)) return {};
      return {
        state: 'FAILED',
        failure: this.#options.stopping.aborted ? 'The service was stopped.' : wordsFor(error),
      };
    }
  }
}

/** @throws ArchiveRefusal unless it is the archive of this backup, and every key proved itself */
function requireProved({ backupId }: BackupRecord, { manifest, unproved }: VerifiedArchive): void {
  if (manifest.archive_id !== backupId)
    throw new ArchiveRefusal('not-authentic', `The file is another archive: ${manifest.archive_id}.`);
  const [first] = unproved;
  if (first === undefined) return;
  const message = `Key material ${first.materialId} does not prove itself (${unproved.length} do not): ${first.message}`;
  throw new ArchiveRefusal('not-authentic', message);
}

/** Only our own errors have messages for operators. */
function wordsFor(error: unknown): string {
  const isOurs =
    error instanceof HoldfastError || error instanceof BackupStorageError || error instanceof ArchiveRefusal;
  return isOurs ? error.message : 'It failed; the log has the cause.';
}
