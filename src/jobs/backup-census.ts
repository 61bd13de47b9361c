import { type BackupCatalog, type BackupRecord, mayExist } from '../backup/backup-record.js';
import { type FoundFile, lookAtFile, recordOfFile, unknownFile } from '../backup/found-archive.js';
import type { ArchiveFolder } from '../backup/ports.js';
import type { Clock } from '../clock.js';
import type { Identifiers } from '../ids.js';

/** The dependencies of a census. */
export interface CensusOptions {
  catalog: BackupCatalog;
  /** Undefined: the configuration has no folder of backups. */
  folder: ArchiveFolder | undefined;
  clock: Clock;
  identifiers: Pick<Identifiers, 'materialId'>;
  /** Whether the configuration has the cluster: an archive of others holds no key of ours. */
  isConfigured: (clusterId: string) => boolean;
}

/**
 * Compares the folder of backups with the catalog: archives that the catalog does not know are recorded, and those that should
 * be there and are not are known to be absent. A restored catalog lacks what was made after it, a killed process leaves an
 * archive without the end of its record, and operators move files.
 */
export class BackupCensus {
  readonly #options: CensusOptions;
  /** Files that were looked at, by name: undefined for what is no archive of ours. Looked at again when the length changes. */
  readonly #seen = new Map<string, { sizeBytes: number; found: FoundFile | undefined }>();
  /** Files that were read to their end, by name, and their length: a damaged one is not read every minute. */
  readonly #read = new Map<string, number>();

  constructor(options: CensusOptions) {
    this.#options = options;
  }

  /** The files in the folder; none without a folder. @throws BackupStorageError */
  names(): Promise<ReadonlySet<string>> {
    return this.#options.folder?.list() ?? Promise.resolve(new Set());
  }

  /** Archives in the folder that the catalog does not know, as far as their beginning tells. */
  async unrecorded(names: ReadonlySet<string>, records: readonly BackupRecord[]): Promise<BackupRecord[]> {
    const found = await this.#unknown(names, records);
    return found.map((file) => unknownFile(file, this.#fresh()));
  }

  /** Reads again what was read before: a file of which there were two is the only one now. */
  lookAgain(): void {
    this.#read.clear();
  }

  /** Whether `adopt` has something to do. */
  async isWork(names: ReadonlySet<string>, records: readonly BackupRecord[]): Promise<boolean> {
    return (await this.#unread(names, records)).length > 0;
  }

  /** Records what the catalog does not know. Only under the lease of backups. */
  async adopt(): Promise<void> {
    const { folder } = this.#options;
    if (folder === undefined) return;
    const [names, records] = [await this.names(), await this.#options.catalog.listCurrentBackups()];
    for (const found of await this.#unread(names, records)) {
      await this.#adopt(folder, found, names);
      this.#read.set(found.fileName, found.sizeBytes);
    }
    for (const name of this.#seen.keys()) if (!names.has(name)) this.#forget(name);
  }

  /**
   * Ends the records that a killed process left running, by what is in the folder. Whoever has the lease of backups knows that
   * no other process works on one; the remains go first, so that nothing can take its name afterwards.
   * @throws BackupStorageError: then nobody knows how they ended
   */
  async endInterrupted(): Promise<void> {
    const { catalog, clock, folder } = this.#options;
    const running = (await catalog.listCurrentBackups()).filter(({ state }) => state === 'RUNNING');
    if (running.length === 0 || folder === undefined) return;
    await folder.removeAbandoned();
    for (const record of running) {
      const found = await lookAtFile(folder, record.fileName);
      const isIts = found !== undefined && (found.manifest?.archive_id ?? record.backupId) === record.backupId;
      const failed = { state: 'FAILED', endTime: clock.now(), failure: 'The process that made it has ended.' } as const;
      await catalog.recordBackup(
        isIts ? await recordOfFile(folder, found, record, this.#fresh()) : { ...record, ...failed },
      );
    }
  }

  async #adopt(folder: ArchiveFolder, found: FoundFile, names: ReadonlySet<string>): Promise<void> {
    const { catalog, clock } = this.#options;
    const known = await this.#knownAs(found);
    const isElsewhere = known !== undefined && known.fileName !== found.fileName && names.has(known.fileName);
    // Two files of one archive: the record goes with the first, and says that there is a copy.
    if (isElsewhere && mayExist(known)) await catalog.recordBackupCopy(known.backupId, clock.now());
    else await catalog.recordBackup(await recordOfFile(folder, found, known, this.#fresh()));
  }

  /** By its id; or by its name, for one whose beginning is damaged. */
  async #knownAs({ fileName, manifest }: FoundFile): Promise<BackupRecord | undefined> {
    const { catalog } = this.#options;
    if (manifest !== undefined) return catalog.findBackup(manifest.archive_id);
    return (await catalog.listCurrentBackups()).find((record) => record.fileName === fileName);
  }

  async #unread(names: ReadonlySet<string>, records: readonly BackupRecord[]): Promise<FoundFile[]> {
    const unknown = await this.#unknown(names, records);
    return unknown.filter(({ fileName, sizeBytes }) => this.#read.get(fileName) !== sizeBytes);
  }

  /** Archives of ours without a record that says what they are, as one that was removed, or never had an archive. */
  async #unknown(names: ReadonlySet<string>, records: readonly BackupRecord[]): Promise<FoundFile[]> {
    const isRecorded = ({ state, removedTime }: BackupRecord): boolean =>
      removedTime === null && state !== 'FAILED' && state !== 'UNKNOWN';
    const recorded = new Set(records.filter(isRecorded).map(({ fileName }) => fileName));
    const found: FoundFile[] = [];
    for (const name of names) {
      const file = recorded.has(name) ? undefined : await this.#look(name);
      if (file !== undefined) found.push(file);
    }
    return found;
  }

  async #look(name: string): Promise<FoundFile | undefined> {
    const { folder } = this.#options;
    const sizeBytes = await folder?.sizeOf(name);
    if (folder === undefined || sizeBytes === undefined) return undefined;
    const seen = this.#seen.get(name);
    if (seen?.sizeBytes === sizeBytes) return seen.found;
    const file = await lookAtFile(folder, name);
    const found = file !== undefined && this.#isOurs(file) ? file : undefined;
    this.#seen.set(name, { sizeBytes, found });
    return found;
  }

  #isOurs({ manifest }: FoundFile): boolean {
    const clusters = manifest?.clusters ?? [];
    return clusters.length === 0 || clusters.some(({ cluster_id: id }) => this.#options.isConfigured(id));
  }

  #forget(name: string): void {
    this.#seen.delete(name);
    this.#read.delete(name);
  }

  #fresh(): { backupId: string; now: Date } {
    return { backupId: this.#options.identifiers.materialId().slice(0, 32), now: this.#options.clock.now() };
  }
}
