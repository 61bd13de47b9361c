import { closeSync, fsyncSync, lstatSync, openSync, type Stats, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { CatalogOpenError } from './database.js';

/**
 * Makes sure that only this user can read and write the catalog, and makes an empty file (0600) when there is none.
 * Synchronous: it runs once, before anything is served.
 * @returns the absolute path.
 * @throws CatalogOpenError that says what to change.
 */
export function prepareCatalogFile(path: string): string {
  const file = resolve(path);
  checkFolder(dirname(file));
  if (status(file) === undefined) createFile(file);
  for (const name of [file, `${file}-wal`, `${file}-shm`]) {
    const found = status(name);
    if (found !== undefined) checkFile(name, found);
  }
  return file;
}

/** Whoever may write to the folder could put another catalog, or another write-ahead log, in place of ours. */
function checkFolder(folder: string): void {
  const found = orRefuse(folder, () => statSync(folder, { throwIfNoEntry: false }));
  if (found === undefined)
    throw new CatalogOpenError(`The catalog's folder ${folder} does not exist. Make it: mkdir -m 700 ${folder}`);
  if (!found.isDirectory()) throw new CatalogOpenError(`The catalog's folder ${folder} is no folder.`);
  if ((found.mode & 0o022) !== 0) {
    throw new CatalogOpenError(
      `Other users may write to the catalog's folder ${folder}. Forbid it: chmod go-w ${folder}`,
    );
  }
  if (found.uid !== 0 && found.uid !== process.geteuid?.() && process.geteuid?.() !== 0) {
    throw new CatalogOpenError(`The catalog's folder ${folder} belongs to another user (uid ${found.uid}).`);
  }
}

function checkFile(file: string, found: Stats): void {
  if (!found.isFile()) throw new CatalogOpenError(`The catalog ${file} is no regular file.`);
  if ((found.mode & 0o077) !== 0) {
    throw new CatalogOpenError(`Other users may use the catalog's file ${file}. Forbid it: chmod 600 ${file}`);
  }
}

/** Several processes may start at once: the one that finds the file made by another is content. */
function createFile(file: string): void {
  orRefuse(file, () => {
    try {
      closeSync(openSync(file, 'wx', 0o600));
      syncFolder(dirname(file));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  });
}

/** Without it a new file's name may be gone after a power cut, however often its content was synced. */
function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function status(file: string): Stats | undefined {
  return orRefuse(file, () => lstatSync(file, { throwIfNoEntry: false }));
}

function orRefuse<T>(path: string, task: () => T): T {
  try {
    return task();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new CatalogOpenError(`The catalog cannot be opened at ${path}: ${code ?? message}.`, { cause });
  }
}
