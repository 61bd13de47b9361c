import {
  type BackupCatalog,
  type BackupRecord,
  type FolderFile,
  hasArchive,
  isInFolder,
  mayExist,
} from '../backup/backup-record.js';
import { type FoundFile, lookAtFile, recordOfFile, unknownFile } from '../backup/found-archive.js';
import { type ArchiveFolder, BackupStorageError, type FolderEntry } from '../backup/ports.js';
import type { Clock } from '../clock.js';
import type { Identifiers } from '../ids.js';
import type { BackgroundErrorListener } from '../keys/core.js';

/** The dependencies of a census. */
export interface CensusOptions {
  catalog: BackupCatalog;
  /** Undefined: the configuration has no folder of backups. */
  folder: ArchiveFolder | undefined;
  clock: Clock;
  identifiers: Pick<Identifiers, 'materialId'>;
  /** Whether the configuration has the cluster: an archive of others holds no key of ours. */
  isConfigured: (clusterId: string) => boolean;
  onBackgroundError: BackgroundErrorListener;
}

/** A file in the folder, and what its beginning says. */
interface SeenFile extends FolderFile {
  version: string;
  /** Undefined for what is no archive. */
  found: FoundFile | undefined;
}

/** All of them, by name. */
type SeenFiles = ReadonlyMap<string, SeenFile>;

/**
 * Compares the folder of backups with the catalog: archives that the catalog does not know are recorded, and those that should
 * be there and are not are known to be absent. A restored catalog lacks what was made after it, a killed process leaves an
 * archive without the end of its record, and operators move files.
 */
export class BackupCensus {
  readonly #options: CensusOptions;
  /** Archives that were looked at, by name, until the file is another one. What is no archive may become one. */
  readonly #seen = new Map<string, { version: string; found: FoundFile }>();
  /** Files that were read to their end, by name: a damaged one, which has no record here, is not read every minute. */
  readonly #read = new Map<string, { version: string; record: BackupRecord | undefined }>();

  constructor(options: CensusOptions) {
    this.#options = options;
  }

  /** The files in the folder; none without a folder. @throws BackupStorageError */
  async files(): Promise<SeenFiles> {
    const { folder } = this.#options;
    const seen = new Map<string, SeenFile>();
    if (folder === undefined) return seen;
    for (const [name, entry] of await folder.list()) {
      const { sizeBytes, version } = entry;
      const found = await this.#look(folder, name, entry);
      const archiveId = found?.manifest?.archive_id;
      seen.set(name, { sizeBytes, version, found, archiveId, isReadable: found?.sizeBytes !== null });
    }
    return seen;
  }

  /**
   * Archives in the folder that the catalog does not know. Of one that was not read to its end nothing is believed: it may
   * hold any key.
   */
  unrecorded(files: SeenFiles, records: readonly BackupRecord[]): BackupRecord[] {
    const has = (condition: (record: BackupRecord) => boolean): boolean => records.some(condition);
    return unknownTo(records, files).flatMap(({ fileName, version, found }) => {
      const read = this.#read.get(fileName);
      if (read?.version === version && read.record !== undefined) {
        const { record } = read;
        return has(({ backupId }) => backupId === record.backupId) ? [] : [record];
      }
      if (has((record) => record.fileName === fileName && record.state === 'UNKNOWN')) return [];
      const { backupId, now } = this.#fresh();
      return [unknownFile(found, { backupId: found.manifest?.archive_id ?? backupId, now })];
    });
  }

  /** Reads again what was read before: a file of which there were two is the only one now. */
  lookAgain(): void {
    this.#read.clear();
  }

  /** Whether `adopt` has something to do. */
  isWork(files: SeenFiles, records: readonly BackupRecord[]): boolean {
    return this.#unread(files, records).length > 0;
  }

  /** Records what the catalog does not know. Only under the lease of backups. One file that fails keeps no other back. */
  async adopt(): Promise<void> {
    const { catalog, folder, onBackgroundError } = this.#options;
    if (folder === undefined) return;
    const [files, records] = [await this.files(), await catalog.listCurrentBackups()];
    for (const { fileName, version, found } of this.#unread(files, records))
      try {
        this.#read.set(fileName, { version, record: await this.#adopt(folder, found, files) });
      } catch (error) {
        if (!(error instanceof BackupStorageError)) throw error;
        onBackgroundError(error, `reading ${fileName} in the folder of backups`);
      }
    for (const name of this.#seen.keys()) if (!files.has(name)) this.#forget(name);
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
    const unpublished = await folder.unpublished();
    await folder.removeAbandoned();
    const files = await this.files();
    for (const record of running) {
      const found = files.get(record.fileName)?.found;
      const isIts = found !== undefined && (found.manifest?.archive_id ?? record.backupId) === record.backupId;
      const over = unpublished.has(record.fileName) ? failed : lost(record);
      await catalog.recordBackup(
        isIts ? await recordOfFile(folder, found, record, this.#fresh()) : { ...record, ...over, endTime: clock.now() },
      );
    }
  }

  /** @returns what it is, if it could be read to its end */
  async #adopt(folder: ArchiveFolder, found: FoundFile, files: SeenFiles): Promise<BackupRecord | undefined> {
    const { catalog, clock } = this.#options;
    const known = await this.#knownAs(found);
    const record = await recordOfFile(folder, found, known, this.#fresh());
    if (record.state === 'UNKNOWN') {
      await this.#adoptDamaged(folder, found);
      return undefined;
    }
    const isElsewhere = known !== undefined && known.fileName !== found.fileName && isInFolder(known, files);
    // Two files of one archive: the record goes with the first, and says that there is a copy.
    if (isElsewhere && mayExist(known)) await catalog.recordBackupCopy(known.backupId, clock.now());
    else if (this.#isOurs(found)) await catalog.recordBackup(record);
    return record;
  }

  /** Under a record of its own: what it claims to be stays as it is, and may be elsewhere. */
  async #adoptDamaged(folder: ArchiveFolder, found: FoundFile): Promise<void> {
    const { catalog } = this.#options;
    const records = await catalog.listCurrentBackups();
    const named = records.filter(({ fileName }) => fileName === found.fileName);
    if (named.some(hasArchive)) return;
    const known = named.find(({ state }) => state === 'UNKNOWN');
    await catalog.recordBackup(await recordOfFile(folder, found, known, this.#fresh()));
  }

  #knownAs({ manifest }: FoundFile): Promise<BackupRecord | undefined> {
    return manifest === undefined ? Promise.resolve(undefined) : this.#options.catalog.findBackup(manifest.archive_id);
  }

  /** What cannot be read stays as it is: unknown. */
  #unread(files: SeenFiles, records: readonly BackupRecord[]): UnknownFile[] {
    return unknownTo(records, files).filter(
      ({ fileName, version, found }) => found.sizeBytes !== null && this.#read.get(fileName)?.version !== version,
    );
  }

  async #look(folder: ArchiveFolder, name: string, entry: FolderEntry): Promise<FoundFile | undefined> {
    const seen = this.#seen.get(name);
    if (seen?.version === entry.version) return seen.found;
    const found = await lookAtFile(folder, name, entry);
    if (found === undefined || found.sizeBytes === null) this.#seen.delete(name);
    else this.#seen.set(name, { version: entry.version, found });
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

const failed = { state: 'FAILED', failure: 'The process that made it has ended.' } as const;

/** Without its partial file nothing says that it never had its name: somebody may have moved it away since. */
function lost({ startTime }: BackupRecord): Pick<BackupRecord, 'state' | 'failure' | 'unknownSince'> {
  const failure = 'The process that made it has ended, and its archive may have been moved away.';
  return { state: 'UNKNOWN', failure, unknownSince: startTime };
}

/** A file of which no record says what it is. */
interface UnknownFile {
  fileName: string;
  version: string;
  found: FoundFile;
}

/** Archives without a record that says what they are, as one that was removed, or is another one than the file. */
function unknownTo(records: readonly BackupRecord[], files: SeenFiles): UnknownFile[] {
  const isKnown = (record: BackupRecord): boolean =>
    record.removedTime === null && !['FAILED', 'UNKNOWN'].includes(record.state) && isInFolder(record, files);
  const known = new Set(records.filter(isKnown).map(({ fileName }) => fileName));
  return [...files].flatMap(([fileName, { version, found }]) =>
    found === undefined || known.has(fileName) ? [] : [{ fileName, version, found }],
  );
}
