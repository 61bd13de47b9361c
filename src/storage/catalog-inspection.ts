import { type FileHandle, open } from 'node:fs/promises';
import Sqlite from 'better-sqlite3';
import type { CatalogInspection, SnapshotContent } from '../backup/ports.js';
import { ArchiveRefusal } from '../backup/refusal.js';
import type { Clock } from '../clock.js';
import { storageError } from './archive-folder.js';
import { requireSound } from './backup-catalog.js';
import { newSnapshot, removeFiles, snapshotContent } from './catalog-snapshot.js';
import { CatalogOpenError } from './database.js';
import { distrust, requireOwnSchema } from './own-schema.js';
import { isSqliteError } from './sqlite-connection.js';

/** Begins to look into the catalog of an archive: it is written beside the archives, and read only when all of it is there. */
export async function inspectCatalog(folder: string, clock: Clock): Promise<CatalogInspection> {
  const path = newSnapshot(folder);
  try {
    return new FileInspection({ folder, path, clock, file: await open(path, 'w') });
  } catch (error) {
    removeFiles(path);
    throw storageError(folder, error);
  }
}

interface Inspected {
  folder: string;
  path: string;
  clock: Clock;
  file: FileHandle;
}

class FileInspection implements CatalogInspection {
  readonly #on: Inspected;

  constructor(on: Inspected) {
    this.#on = on;
  }

  async write(bytes: Uint8Array): Promise<void> {
    const { file, folder } = this.#on;
    try {
      for (let written = 0; written < bytes.length; )
        written += (await file.write(bytes, written, bytes.length - written)).bytesWritten;
    } catch (error) {
      throw storageError(folder, error);
    }
  }

  async content(): Promise<SnapshotContent> {
    const { path, clock } = this.#on;
    try {
      await requireOwnSchema(path, clock, 'the archive');
      return readContent(path);
    } catch (error) {
      if (!(error instanceof CatalogOpenError) && !isSqliteError(error)) throw error;
      const message = `The catalog in the archive cannot be used: ${error.message.replaceAll(path, 'it')}`;
      throw new ArchiveRefusal('unsound-catalog', message);
    }
  }

  async discard(): Promise<void> {
    await this.#on.file.close();
    removeFiles(this.#on.path);
  }
}

function readContent(path: string): SnapshotContent {
  const connection = new Sqlite(path, { readonly: true, fileMustExist: true });
  try {
    distrust(connection);
    requireSound(connection, path);
    return snapshotContent(connection, path);
  } finally {
    connection.close();
  }
}
