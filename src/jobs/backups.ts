import type { ActAudit, ActName } from '../audit/act-audit.js';
import {
  archiveName,
  type BackupCatalog,
  type BackupRecord,
  type BackupTrigger,
  type BackupSummary,
  hasArchive,
  outdated,
  summaryOf,
} from '../backup/backup-record.js';
import { type ArchiveTools, createArchive, type CreatedArchive } from '../backup/create-archive.js';
import { clustersWithMaterial } from '../backup/manifest.js';
import {
  type ArchiveFolder,
  type BackupAdministration,
  type BackupReport,
  BackupStorageError,
  type BackupWork,
  type CatalogSnapshots,
} from '../backup/ports.js';
import { ArchiveRefusal } from '../backup/refusal.js';
import { type VerifiedArchive, verifyArchive } from '../backup/verify-archive.js';
import { type LeaseTools, underLease } from '../coordination/held-lease.js';
import { HoldfastError } from '../errors.js';
import type { Identifiers } from '../ids.js';
import type { BackgroundErrorListener } from '../keys/core.js';
import { PeriodicJob } from './periodic-job.js';

/** The dependencies of backups, and when they are made. */
export interface BackupsOptions {
  catalog: BackupCatalog;
  /** Undefined: the configuration has no folder of backups. */
  storage: { folder: ArchiveFolder; snapshots: CatalogSnapshots } | undefined;
  archive: ArchiveTools;
  identifiers: Pick<Identifiers, 'materialId'>;
  audit: ActAudit;
  leases: LeaseTools;
  /** Null: only when an operator asks. */
  everyMs: number | null;
  /** How many complete scheduled archives stay. */
  keep: number;
  onBackgroundError: BackgroundErrorListener;
}

/** The lease of all work on backups: one process at a time makes one, verifies one, or removes old ones. */
const leaseName = 'backups';
const roundMs = 60_000;
/** After a scheduled backup that failed. */
const retryMs = 15 * 60_000;
/** How long a due backup waits for clusters that are not connected yet. */
const patienceMs = 10 * 60_000;
/** The most that one answer carries. */
const maxReadBytes = 512 * 1024;

/** Makes, verifies and removes archives: for operators, and by the clock. */
export class Backups implements BackupAdministration {
  readonly #options: BackupsOptions;
  readonly #rounds: PeriodicJob;
  readonly #work = new Map<string, BackupWork>();
  readonly #underWay = new Set<Promise<unknown>>();
  #dueSinceMs: number | undefined;
  #summary: BackupSummary | undefined;

  constructor(options: BackupsOptions) {
    this.#options = options;
    const { archive, onBackgroundError } = options;
    const round = (): Promise<void> => this.#round();
    this.#rounds = new PeriodicJob({
      ...{ clock: archive.clock, onBackgroundError, round },
      intervalMs: roundMs,
      name: 'making scheduled backups',
    });
  }

  start(): void {
    if (this.#options.storage !== undefined) this.#rounds.start();
  }

  /** Ends work between two materials; a backup that is not finished then is recorded as failed. */
  async stop(): Promise<void> {
    await this.#rounds.stop();
    await Promise.allSettled(this.#underWay);
  }

  /** As of the last minute, whichever process made them; undefined without a folder, and before the first look. */
  get summary(): BackupSummary | undefined {
    return this.#summary;
  }

  async startBackup(): Promise<string> {
    const record = this.#newRecord('OPERATOR');
    await this.#begin((begun) => this.#make(record, begun));
    return record.backupId;
  }

  async startVerification(backupId: string): Promise<void> {
    this.#storage();
    const record = await this.#recordWithArchive(backupId);
    await this.#begin((begun) => {
      this.#work.set(backupId, { kind: 'VERIFYING', done: 0, total: 0 });
      begun();
      return this.#verify(record);
    });
  }

  async describe(): Promise<BackupReport[]> {
    const records = await this.#options.catalog.listBackups();
    return records.map((record) => ({ ...record, work: this.#work.get(record.backupId) }));
  }

  async read(backupId: string, offset: number): Promise<{ data: Uint8Array; sizeBytes: number }> {
    const { folder } = this.#storage();
    const { fileName } = await this.#recordWithArchive(backupId);
    const sizeBytes = await folder.sizeOf(fileName);
    if (sizeBytes === undefined) throw notFound(`The archive of backup ${backupId} is not in the folder any more.`);
    return { data: await folder.readAt(fileName, offset, maxReadBytes), sizeBytes };
  }

  async remove(backupId: string): Promise<void> {
    const { folder } = this.#storage();
    const record = await this.#recordWithArchive(backupId);
    const isDone = await underLease(this.#leases, leaseName, async () => {
      const { lastComplete } = summaryOf(await this.#options.catalog.listBackups(), null);
      if (lastComplete?.backupId === backupId) {
        const message = 'This is the newest complete backup. Make another one first.';
        throw new HoldfastError('KMS_INVALID_STATE', message, { retryable: false });
      }
      await folder.remove(record.fileName);
      await this.#change({ ...record, removedTime: this.#options.archive.clock.now() });
    });
    if (!isDone) throw busy();
  }

  /** One backup, verification or removal at a time, in this process too. */
  get #leases(): LeaseTools {
    return { ...this.#options.leases, excludesOwnProcess: true };
  }

  /** Begins work in the background once this process has the lease. Resolves when the work says that it has begun. */
  #begin(work: (begun: () => void) => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const job = underLease(this.#leases, leaseName, () => work(resolve));
      const ended = job.then(
        (isDone) => {
          if (isDone) return;
          reject(busy());
        },
        (error: unknown) => {
          reject(error instanceof Error ? error : new Error(String(error)));
          this.#options.onBackgroundError(error, 'working on a backup');
        },
      );
      this.#underWay.add(ended);
      void ended.finally(() => this.#underWay.delete(ended));
    });
  }

  #newRecord(trigger: BackupTrigger): BackupRecord {
    this.#storage();
    const { identifiers, archive } = this.#options;
    const [backupId, startTime] = [identifiers.materialId().slice(0, 32), archive.clock.now()];
    return {
      ...{ backupId, trigger, startTime, state: 'RUNNING', fileName: archiveName(backupId, startTime) },
      ...{ endTime: null, sizeBytes: null, keyMaterials: 0, absentKeyMaterials: 0, generations: [], failure: null },
      ...{ verification: null, verificationTime: null, verificationFailure: null, removedTime: null },
    };
  }

  /** Under the lease. Records how it ended; rejects only if that cannot be recorded. */
  async #make(record: BackupRecord, begun: () => void = () => undefined): Promise<void> {
    await this.#endInterrupted();
    await this.#change(record);
    begun();
    const outcome = await this.#outcome('MakeBackup', record, () => this.#write(record));
    await this.#change({ ...record, endTime: this.#options.archive.clock.now(), ...outcome });
  }

  async #write(record: BackupRecord): Promise<Partial<BackupRecord>> {
    const { folder, snapshots } = this.#storage();
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
          signal: this.#rounds.stopping,
        });
        await target.publish();
        return contentOf(created);
      } finally {
        await target.discard();
      }
    } finally {
      snapshot.discard();
    }
  }

  async #verify(record: BackupRecord): Promise<void> {
    const { verification, failure } = await this.#outcome('VerifyBackup', record, () => this.#prove(record));
    const verificationTime = this.#options.archive.clock.now();
    if (verification !== undefined)
      await this.#change({ ...record, verification, verificationTime, verificationFailure: null });
    // Without an outcome a member was away, or the service was stopped: the last verification stays.
    else if (failure !== undefined && failure !== null)
      await this.#change({ ...record, verification: 'FAILED', verificationTime, verificationFailure: failure });
  }

  async #prove(record: BackupRecord): Promise<Partial<BackupRecord>> {
    const { archive } = this.#options;
    const isConfigured = (clusterId: string): boolean =>
      archive.clusters().some((cluster) => cluster.clusterId === clusterId);
    const verified = await verifyArchive(
      { ...archive, isConfigured },
      {
        chunks: this.#storage().folder.read(record.fileName),
        onProgress: (progress) => void this.#work.set(record.backupId, { kind: 'VERIFYING', ...progress }),
        signal: this.#rounds.stopping,
      },
    );
    requireProved(record, verified);
    return { verification: verified.isAuthenticated ? 'PASSED' : 'UNAUTHENTICATED' };
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
      return { state: 'FAILED', failure: this.#rounds.stopping.aborted ? 'The service was stopped.' : wordsFor(error) };
    } finally {
      this.#work.delete(backupId);
    }
  }

  async #round(): Promise<void> {
    const records = await this.#look();
    const isDue = this.#isDue(records);
    const isWork = isDue || records.some(({ state }) => state === 'RUNNING') || this.#outdated(records).length > 0;
    if (!isWork) return;
    await underLease(this.#leases, leaseName, async () => {
      await this.#endInterrupted();
      // Another process may have made one meanwhile.
      if (isDue && this.#isDue(await this.#options.catalog.listBackups()))
        await this.#make(this.#newRecord('SCHEDULE'));
      await this.#removeOutdated();
    });
  }

  async #look(): Promise<BackupRecord[]> {
    const { catalog, everyMs } = this.#options;
    const records = await catalog.listBackups();
    this.#summary = summaryOf(records, everyMs);
    return records;
  }

  #isDue(records: readonly BackupRecord[]): boolean {
    const { everyMs, archive } = this.#options;
    if (everyMs === null) return false;
    const nowMs = archive.clock.now().getTime();
    const last = records.find(({ trigger }) => trigger === 'SCHEDULE');
    const pauseMs = last?.state === 'FAILED' ? Math.min(everyMs, retryMs) : everyMs;
    // One that began in the future was made by a clock that was wrong: it must not keep the next one away.
    const sinceMs = last === undefined ? pauseMs : nowMs - last.startTime.getTime();
    if (sinceMs >= 0 && sinceMs < pauseMs) {
      this.#dueSinceMs = undefined;
      return false;
    }
    this.#dueSinceMs ??= archive.clock.monotonicMs();
    const isImpatient = archive.clock.monotonicMs() - this.#dueSinceMs >= patienceMs;
    return isImpatient || this.#areClustersConnected();
  }

  /** Those that have been in use: a cluster without a key store has no keys, and is never connected. */
  #areClustersConnected(): boolean {
    const { clusters, connectedCluster } = this.#options.archive;
    const wrapped = clusters().filter(({ replication }) => replication === 'wrapped');
    return wrapped.every(({ clusterId }) => connectedCluster(clusterId) !== undefined);
  }

  /** Whoever has the lease knows that no other process works on a backup. */
  async #endInterrupted(): Promise<void> {
    const { catalog, archive } = this.#options;
    for (const record of await catalog.listBackups()) {
      if (record.state !== 'RUNNING') continue;
      const failure = 'The process that made it has ended.';
      await this.#change({ ...record, state: 'FAILED', endTime: archive.clock.now(), failure });
    }
  }

  #outdated(records: readonly BackupRecord[]): BackupRecord[] {
    return this.#options.everyMs === null ? [] : outdated(records, this.#options.keep);
  }

  async #removeOutdated(): Promise<void> {
    const { catalog, audit, archive } = this.#options;
    const old = this.#outdated(await catalog.listBackups());
    if (old.length === 0) return;
    const { folder } = this.#storage();
    const parameters = { file_names: old.map(({ fileName }) => fileName) };
    await audit.perform({ operation: 'RemoveBackups', resources: [], parameters }, async () => {
      for (const record of old) {
        await folder.remove(record.fileName);
        await this.#change({ ...record, removedTime: archive.clock.now() });
      }
    });
  }

  async #change(record: BackupRecord): Promise<void> {
    await this.#options.catalog.recordBackup(record);
    await this.#look();
  }

  async #recordWithArchive(backupId: string): Promise<BackupRecord> {
    const record = await this.#options.catalog.findBackup(backupId);
    if (record !== undefined && hasArchive(record)) return record;
    throw notFound(`There is no archive of backup ${backupId}.`);
  }

  /** @throws UNSUPPORTED_OPERATION */
  #storage(): { folder: ArchiveFolder; snapshots: CatalogSnapshots } {
    if (this.#options.storage !== undefined) return this.#options.storage;
    const message = 'The configuration has no folder of backups: set backup.folder, and restart the service.';
    throw new HoldfastError('UNSUPPORTED_OPERATION', message);
  }
}

function busy(): HoldfastError {
  const message = 'Another backup or verification is under way. holdfast backup list shows it.';
  return new HoldfastError('LIMIT_EXCEEDED', message, { retryable: true });
}

function notFound(message: string): HoldfastError {
  return new HoldfastError('NOT_FOUND', message);
}

function contentOf({ manifest, totals, bytes, isComplete }: CreatedArchive): Partial<BackupRecord> {
  const sum = (pick: (counts: CreatedArchive['totals']['clusters'][number]) => number): number =>
    totals.clusters.reduce((total, counts) => total + pick(counts), 0);
  const omitted = manifest.clusters
    .filter(({ omission }) => omission === 'not-connected' || omission === 'not-configured')
    .reduce((total, { materials }) => total + materials, 0);
  return {
    state: isComplete ? 'COMPLETE' : 'INCOMPLETE',
    sizeBytes: bytes,
    keyMaterials: sum(({ materials }) => materials),
    absentKeyMaterials: omitted + sum(({ missing, unavailable }) => missing + unavailable),
    generations: clustersWithMaterial(manifest),
  };
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
