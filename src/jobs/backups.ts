import type { ActAudit } from '../audit/act-audit.js';
import {
  archiveName,
  type BackupCatalog,
  type BackupPosition,
  type BackupRecord,
  type BackupTrigger,
  type FolderFiles,
  hasArchive,
  holdsMaterial,
  isInFolder,
  mayExist,
  placeOf,
} from '../backup/backup-record.js';
import type { ArchiveTools } from '../backup/create-archive.js';
import { type BackupAdministration, type BackupReport, BackupStorageError } from '../backup/ports.js';
import { outdated } from '../backup/retention.js';
import { type BackupSummary, summaryOf } from '../backup/summary.js';
import { type LeaseTools, underLease } from '../coordination/held-lease.js';
import { HoldfastError } from '../errors.js';
import type { Identifiers } from '../ids.js';
import type { BackgroundErrorListener } from '../keys/core.js';
import type { MaterialRecord } from '../keys/key.js';
import { BackupCensus } from './backup-census.js';
import { type BackupStorage, BackupWorkshop } from './backup-workshop.js';
import { PeriodicJob } from './periodic-job.js';

/** The dependencies of backups, and when they are made. */
export interface BackupsOptions {
  catalog: BackupCatalog;
  /** Undefined: the configuration has no folder of backups. */
  storage: BackupStorage | undefined;
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
  readonly #census: BackupCensus;
  readonly #workshop: BackupWorkshop;
  readonly #underWay = new Set<Promise<unknown>>();
  #dueSinceMs: number | undefined;
  #summary: BackupSummary | undefined;
  /** Archives in the folder, at the last look; the newest first. */
  #present: readonly BackupRecord[] = [];

  constructor(options: BackupsOptions) {
    this.#options = options;
    const { archive, audit, catalog, identifiers, onBackgroundError, storage } = options;
    const { clock } = archive;
    const round = (): Promise<void> => this.#round();
    const name = 'making scheduled backups';
    this.#rounds = new PeriodicJob({ clock, onBackgroundError, round, intervalMs: roundMs, name });
    this.#workshop = new BackupWorkshop({ archive, audit, onBackgroundError, stopping: this.#rounds.stopping });
    const isConfigured = (wanted: string): boolean => archive.clusters().some(({ clusterId }) => clusterId === wanted);
    const tools = { catalog, clock, identifiers, isConfigured, onBackgroundError };
    this.#census = new BackupCensus({ ...tools, folder: storage?.folder });
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
    const storage = this.#storage();
    await this.#recordWithArchive(backupId);
    await this.#begin(async (begun) => {
      // Before the verification removes what partial files say.
      await this.#endInterrupted();
      // Somebody may have removed it, or verified it, before this process had the lease.
      const record = await this.#recordWithArchive(backupId);
      this.#workshop.announce(backupId);
      begun();
      try {
        const outcome = await this.#workshop.verify(record, storage);
        if (outcome === undefined) return;
        await this.#change({ ...record, ...outcome, verificationTime: this.#options.archive.clock.now() });
      } finally {
        this.#workshop.conclude(backupId);
      }
    });
  }

  async list(after: BackupPosition | undefined, limit: number): Promise<BackupReport[]> {
    const [records, files] = [await this.#options.catalog.listBackups(after, limit), await this.#files()];
    return records.map((record) => this.#report(record, files));
  }

  async find(backupId: string): Promise<BackupReport | undefined> {
    const record = await this.#options.catalog.findBackup(backupId);
    return record && this.#report(record, await this.#files());
  }

  newestOf(wanted: string): BackupRecord | undefined {
    const hasKeys = ({ generations }: BackupRecord): boolean =>
      generations.some(({ clusterId }) => clusterId === wanted);
    return this.#present.find((record) => hasKeys(record) && record.verification !== 'FAILED');
  }

  async mayHold(materials: readonly MaterialRecord[]): Promise<BackupReport[]> {
    const { catalog } = this.#options;
    const records = await catalog.listRetainingBackups();
    const files = await orUnreadable(this.#census.files());
    return [...this.#census.unrecorded(files, records), ...records]
      .filter((record) => materials.some((material) => holdsMaterial(record, material)))
      .sort((one, other) => other.startTime.getTime() - one.startTime.getTime())
      .map((record) => this.#report(record, files));
  }

  async read(backupId: string, offset: number): Promise<{ data: Uint8Array; sizeBytes: number }> {
    const { folder } = this.#storage();
    const { fileName, copiedTime } = await this.#recordWithArchive(backupId);
    const sizeBytes = await folder.sizeOf(fileName);
    if (sizeBytes === undefined) throw notFound(`The archive of backup ${backupId} is not in the folder any more.`);
    // Before its first byte leaves: a copy that is not known of would make a deletion look complete.
    if (copiedTime === null) await this.#options.catalog.recordBackupCopy(backupId, this.#options.archive.clock.now());
    return { data: await folder.readAt(fileName, offset, maxReadBytes), sizeBytes };
  }

  async remove(backupId: string, noCopyIsLeft: boolean): Promise<void> {
    const { folder } = this.#storage();
    await this.#existing(backupId);
    const isDone = await underLease(this.#leases, leaseName, async () => {
      await orUnreadable(this.#census.endInterrupted());
      const record = await this.#existing(backupId);
      await this.#requireSpare(record);
      const files = await orUnreadable(this.#census.files());
      if (!isInFolder(record, files) && !noCopyIsLeft) throw invalidState(absentMessage(record, files));
      if (isOf(record, files)) await folder.remove(record.fileName);
      const now = this.#options.archive.clock.now();
      this.#census.lookAgain();
      await this.#change({ ...record, removedTime: record.removedTime ?? now, goneTime: noCopyIsLeft ? now : null });
    });
    if (!isDone) throw busy();
  }

  /** The newest complete one stays; one of the future, which a wrong clock made, only if there is no other. */
  async #requireSpare({ backupId, startTime }: BackupRecord): Promise<void> {
    const { lastComplete, records, files } = await this.#look();
    if (lastComplete?.backupId !== backupId) return;
    const isComplete = (record: BackupRecord): boolean => record.state === 'COMPLETE' && isInFolder(record, files);
    const hasOther = records.some((record) => record.backupId !== backupId && hasArchive(record) && isComplete(record));
    const isAhead = startTime.getTime() > this.#options.archive.clock.now().getTime();
    if (!isAhead || !hasOther) throw invalidState('This is the newest complete backup. Make another one first.');
  }

  #report(record: BackupRecord, files: FolderFiles): BackupReport {
    return { ...record, place: placeOf(record, files), work: this.#workshop.workOn(record.backupId) };
  }

  /** None if the folder cannot be read, which the log says: then nothing in it can be used. */
  async #files(): ReturnType<BackupCensus['files']> {
    try {
      return await this.#census.files();
    } catch (error) {
      this.#options.onBackgroundError(error, 'looking into the folder of backups');
      return new Map();
    }
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
      ...{ copiedTime: null, goneTime: null, unknownSince: null },
    };
  }

  /** Under the lease. Records how it ended; rejects only if that cannot be recorded. */
  async #make(record: BackupRecord, begun: () => void = () => undefined): Promise<void> {
    const storage = this.#storage();
    await this.#endInterrupted();
    await this.#change(record);
    begun();
    try {
      const outcome = await this.#workshop.make(record, storage);
      await this.#change({ ...record, endTime: this.#options.archive.clock.now(), ...outcome });
    } finally {
      this.#workshop.conclude(record.backupId);
    }
  }

  /** A folder that cannot be read leaves them as they are. */
  async #endInterrupted(): Promise<void> {
    try {
      await this.#census.endInterrupted();
    } catch (error) {
      if (!(error instanceof BackupStorageError)) throw error;
      this.#options.onBackgroundError(error, 'ending backups that were interrupted');
    }
  }

  async #round(): Promise<void> {
    const { records, files } = await this.#look();
    const isDue = this.#isDue(records);
    const isInterrupted = records.some(({ state }) => state === 'RUNNING');
    const isOutdated = this.#outdated(records, files).length > 0;
    if (!isDue && !isInterrupted && !isOutdated && !this.#census.isWork(files, records)) return;
    await underLease(this.#leases, leaseName, async () => {
      await this.#endInterrupted();
      // Another process may have made one meanwhile.
      if (isDue && this.#isDue((await this.#look()).records)) await this.#make(this.#newRecord('SCHEDULE'));
      await this.#census.adopt();
      await this.#removeOutdated();
      await this.#look();
    });
  }

  async #look(): Promise<
    BackupSummary & { records: BackupRecord[]; files: Awaited<ReturnType<BackupCensus['files']>> }
  > {
    const { catalog, everyMs } = this.#options;
    const [records, files] = [await catalog.listCurrentBackups(), await this.#files()];
    this.#summary = summaryOf(records, everyMs, files);
    this.#present = records.filter((record) => hasArchive(record) && isInFolder(record, files));
    return { ...this.#summary, records, files };
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

  #outdated(records: readonly BackupRecord[], files: FolderFiles): BackupRecord[] {
    return this.#options.everyMs === null ? [] : outdated(records, this.#options.keep, files);
  }

  async #removeOutdated(): Promise<void> {
    const { audit, archive } = this.#options;
    const { records, files } = await this.#look();
    const old = this.#outdated(records, files);
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

  async #existing(backupId: string): Promise<BackupRecord> {
    const record = await this.#options.catalog.findBackup(backupId);
    if (record !== undefined && mayExist(record)) return record;
    throw notFound(`There is no archive of backup ${backupId}.`);
  }

  /** @throws UNSUPPORTED_OPERATION */
  #storage(): BackupStorage {
    if (this.#options.storage !== undefined) return this.#options.storage;
    const message = 'The configuration has no folder of backups: set backup.folder, and restart the service.';
    throw new HoldfastError('UNSUPPORTED_OPERATION', message);
  }
}

/** Whether the file under its name goes with the record: its archive, what is left of that, or a link. Another archive stays. */
function isOf(record: BackupRecord, files: FolderFiles): boolean {
  const file = files.get(record.fileName);
  const isAnother = file?.archiveId !== undefined && file.archiveId !== record.backupId;
  return file !== undefined && (!isAnother || isInFolder(record, files));
}

function absentMessage({ fileName }: BackupRecord, files: FolderFiles): string {
  const what = files.has(fileName)
    ? 'What is in the folder under its name is not it:'
    : 'Its archive is not in the folder:';
  return `${what} it may exist elsewhere. If no copy is left anywhere: holdfast backup delete ID --gone`;
}

function busy(): HoldfastError {
  const message = 'Another backup or verification is under way. holdfast backup list shows it.';
  return new HoldfastError('LIMIT_EXCEEDED', message, { retryable: true });
}

function invalidState(message: string): HoldfastError {
  return new HoldfastError('KMS_INVALID_STATE', message, { retryable: false });
}

function notFound(message: string): HoldfastError {
  return new HoldfastError('NOT_FOUND', message);
}

async function orUnreadable<T>(look: Promise<T>): Promise<T> {
  try {
    return await look;
  } catch (error) {
    if (!(error instanceof BackupStorageError)) throw error;
    throw new HoldfastError('KMS_INVALID_STATE', `What is in the folder of backups is not known. ${error.message}`, {
      retryable: true,
      cause: error,
    });
  }
}
