import { createReadStream } from 'node:fs';
import { type FileHandle, lstat, open, readdir, realpath, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type ArchiveFolder, BackupStorageError, type FolderEntry, type NewArchive } from '../backup/ports.js';
import { exposedBackupFolder } from './backup-folder.js';
import { PartialFile } from './partial-file.js';

/** The folder of backup archives. Files are private (0600). */
export function archiveFolder(folder: string): ArchiveFolder {
  const pathOf = (name: string): string => {
    // Names come from the catalog, which someone may have changed.
    if (basename(name) !== name) throw new BackupStorageError(`${name} is no name of an archive.`);
    return join(folder, name);
  };
  return {
    requireOwn: () => requireOwn(folder),
    list: () => inFolder(folder, () => list(folder)),
    unpublished: () => inFolder(folder, () => unpublished(folder)),
    removeAbandoned: () => inFolder(folder, () => removeAbandoned(folder)),
    create: (name) => inFolder(folder, () => FileArchive.begin(pathOf(name))),
    async *read(name) {
      try {
        for await (const chunk of createReadStream(pathOf(name))) yield chunk as Uint8Array;
      } catch (error) {
        throw storageError(folder, error);
      }
    },
    readAt: (name, offset, maxBytes) => inFolder(folder, () => readAt(pathOf(name), offset, maxBytes)),
    sizeOf: (name) => inFolder(folder, () => sizeOf(pathOf(name))),
    remove: (name) => inFolder(folder, () => rm(pathOf(name), { force: true })),
  };
}

/** An error of the system or of SQLite, for operators. */
export function storageError(folder: string, error: unknown): Error {
  if (error instanceof BackupStorageError) return error;
  const { code = '', message } = error as NodeJS.ErrnoException;
  const isFull = ['ENOSPC', 'EDQUOT', 'SQLITE_FULL'].includes(code);
  // SQLite does not say which.
  const isDisk = code.startsWith('SQLITE_IOERR');
  const failed = isDisk
    ? `There is no room left, or the disk failed (${code}),`
    : `It failed (${code === '' ? message : code})`;
  const what = isFull ? 'There is no room left' : failed;
  return new BackupStorageError(`${what} in the backup folder ${folder}.`, { cause: error });
}

async function inFolder<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storageError(folder, error);
  }
}

async function requireOwn(folder: string): Promise<void> {
  const exposed = await exposedBackupFolder(folder);
  if (exposed === undefined) return;
  throw new BackupStorageError(`The backup folder ${folder} ${exposed.reason}: ${exposed.remedy}`);
}

async function list(folder: string): Promise<ReadonlyMap<string, FolderEntry>> {
  const found = new Map<string, FolderEntry>();
  for (const name of await readdir(folder)) {
    const entry = partialName.test(name) ? undefined : await entryOf(join(folder, name));
    if (entry !== undefined && !(entry.isLink && (await leadsInto(folder, join(folder, name))))) found.set(name, entry);
  }
  return found;
}

/** Undefined if it is gone, or neither a file nor a link. */
async function entryOf(path: string): Promise<FolderEntry | undefined> {
  const isGone = (error: NodeJS.ErrnoException): undefined => {
    if (error.code !== 'ENOENT') throw error;
  };
  const found = await lstat(path, { bigint: true }).catch(isGone);
  if (found === undefined || !(found.isFile() || found.isSymbolicLink())) return undefined;
  const { dev, ino, size, mtimeNs, ctimeNs } = found;
  const version = [dev, ino, size, mtimeNs, ctimeNs].join('/');
  return { sizeBytes: Number(size), version, isLink: found.isSymbolicLink() };
}

/** A link to another file of the folder is no archive of its own. One that leads nowhere, or in a circle, is not known. */
async function leadsInto(folder: string, link: string): Promise<boolean> {
  try {
    return dirname(await realpath(link)) === (await realpath(folder));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return false;
  }
}

/** The names that `PartialFile` gives to archives and snapshots, with SQLite's files beside those. */
const partialName =
  /^\.(holdfast-[0-9TZ]+-[0-9a-f]{8}\.backup|catalog\.snapshot)\.\d+-[0-9a-f]{12}\.partial(-journal|-wal|-shm)?$/;

/** A partial file with a second link has been published, wherever that is now. */
async function unpublished(folder: string): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const name of await readdir(folder)) {
    const [, archive, end] = partialName.exec(name) ?? [];
    if (archive !== undefined && end === undefined && (await lstat(join(folder, name))).nlink === 1) found.add(archive);
  }
  return found;
}

/** Not by whether their process runs: another container has process ids of its own, and the lease says that none works here. */
async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder)) if (partialName.test(name)) await rm(join(folder, name), { force: true });
}

async function readAt(path: string, offset: number, maxBytes: number): Promise<Uint8Array> {
  const file = await open(path, 'r');
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(maxBytes), 0, maxBytes, offset);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? found.size : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

class FileArchive implements NewArchive {
  readonly #path: string;
  readonly #partial: PartialFile;
  readonly #file: FileHandle;

  private constructor(path: string, partial: PartialFile, file: FileHandle) {
    this.#path = path;
    this.#partial = partial;
    this.#file = file;
  }

  static async begin(path: string): Promise<FileArchive> {
    const partial = new PartialFile(path);
    return new FileArchive(path, partial, await open(partial.path, 'w'));
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#attempt(async () => {
      for (let written = 0; written < bytes.length; )
        written += (await this.#file.write(bytes, written, bytes.length - written)).bytesWritten;
    });
  }

  publish(): Promise<void> {
    return this.#attempt(async () => {
      // Off the event loop; `PartialFile` syncs what is left, which is its name.
      await this.#file.sync();
      await this.#file.close();
      if (!this.#partial.publish()) throw new BackupStorageError(`There is something at ${this.#path}.`);
    });
  }

  async discard(): Promise<void> {
    await this.#file.close();
    this.#partial.discard();
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw storageError(this.#path, error);
    }
  }
}
