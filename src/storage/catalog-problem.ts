import { accessSync, constants, lstatSync, readlinkSync, type Stats, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import Sqlite from 'better-sqlite3';
import { HoldfastError } from '../errors.js';
import type { Identity } from '../keys/identity.js';
import { pathProblem } from '../path-problem.js';
import { strangersIn } from './catalog-owner.js';
import { CatalogOpenError } from './database.js';
import { schemaVersion } from './migrations.js';
import { applicationId, isBusy, isSqliteError } from './sqlite-connection.js';

/** Why a catalog cannot be served. */
export interface CatalogProblem {
  kind:
    | 'folder'
    | 'missing'
    | 'left-over'
    | 'empty'
    | 'no-regular-file'
    | 'owner'
    | 'mode'
    | 'not-writable'
    | 'another-program'
    | 'damaged'
    | 'newer-schema'
    | 'another-deployment'
    | 'busy'
    | 'full'
    | 'unusable';
  /** The problem, as a sentence. */
  message: string;
  /** The remedy, as a sentence. */
  remedy: string;
}

/** The deployment that a catalog should belong to, from the configuration. */
export interface CatalogOwner {
  identity: Identity;
  clusterIds: readonly string[];
}

const restore = 'Restore a backup (holdfast catalog restore), or put the file back from where it went.';
const mend =
  'Stop every process that uses it, move the file and its -wal and -shm away, and restore a backup: holdfast catalog restore.';

/**
 * Checks whether a catalog can be served, and changes nothing: the one list of preconditions that `serve` and `doctor`
 * share. Reads all of it, to find missing or broken pages: half a second for 100,000 keys (74 MB, measured).
 * @param owner left out if no configuration names the owner
 * @param busyTimeoutMs how long to wait, blocking, for another process that holds the file
 * @returns undefined if it can be served
 */
export function catalogProblem(path: string, owner?: CatalogOwner, busyTimeoutMs = 5_000): CatalogProblem | undefined {
  return explained(
    resolve(path),
    (file) => folderProblem(dirname(file)) ?? fileProblem(file) ?? contentProblem(file, owner, busyTimeoutMs),
  );
}

/** Why no catalog can be created at a free path; undefined if one can. Changes nothing. */
export function placeProblem(path: string): CatalogProblem | undefined {
  return explained(resolve(path), (file) => {
    const problem = folderProblem(dirname(file)) ?? leftOver(file);
    if (problem === undefined) accessSync(dirname(file), constants.W_OK | constants.X_OK);
    return problem;
  });
}

function explained(file: string, look: (file: string) => CatalogProblem | undefined): CatalogProblem | undefined {
  try {
    return look(file);
  } catch (error) {
    if (!isSqliteError(error) && !isSystemError(error)) throw error;
    return errorProblem(file, error);
  }
}

/** The file's facts, or undefined if it is missing. @throws the system's error: a file as a folder, missing rights, … */
function lookFor(path: string, look: (path: string) => Stats): Stats | undefined {
  try {
    return look(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Checks before a catalog is opened. @throws CatalogOpenError with the problem and its remedy */
export function requireNone(problem: CatalogProblem | undefined): void {
  if (problem !== undefined) throw new CatalogOpenError(`${problem.message} ${problem.remedy}`);
}

/** Anyone who may write to the folder could replace the catalog or its write-ahead log. */
function folderProblem(folder: string): CatalogProblem | undefined {
  const problem = (message: string, remedy: string): CatalogProblem => ({ kind: 'folder', message, remedy });
  const found = lookFor(folder, statSync);
  if (found === undefined) {
    const remedy = `Mount it if it is a volume; for a new catalog make it: mkdir -m 700 ${folder}`;
    return problem(`The catalog's folder ${folder} does not exist.`, remedy);
  }
  if (!found.isDirectory()) return problem(`The catalog's folder ${folder} is no folder.`, 'Correct catalog.path.');
  if ((found.mode & 0o022) !== 0) {
    return problem(`Other users may write to the catalog's folder ${folder}.`, `Forbid it: chmod go-w ${folder}`);
  }
  if (found.uid !== 0 && !isOurs(found)) {
    const message = `The catalog's folder ${folder} belongs to another user (uid ${found.uid}).`;
    return problem(message, 'Run as that user, or give the folder to this one (chown).');
  }
  return undefined;
}

/**
 * Root may use other users' files: SQLite gives the files that it creates beside a database to the database's owner.
 */
function isOurs(found: Stats): boolean {
  const user = process.geteuid?.();
  return user === 0 || found.uid === user;
}

/** The catalog's file and SQLite's files beside it: kind, owner, modes. */
function fileProblem(file: string): CatalogProblem | undefined {
  const found = lookFor(file, lstatSync);
  if (found === undefined) return missing(file);
  if (!found.isFile()) return noRegularFile(file, found);
  if (!isOurs(found)) return anotherUser(file, found);
  // Checked before its mode: advice to change the mode would present the file as the right one.
  if (found.size === 0) return empty(file);
  for (const name of [file, `${file}-wal`, `${file}-shm`]) {
    const stats = lookFor(name, lstatSync);
    const problem = stats === undefined ? undefined : accessProblem(name, stats);
    if (problem !== undefined) return problem;
  }
  for (const place of [file, dirname(file)]) accessSync(place, constants.R_OK | constants.W_OK);
  return undefined;
}

function missing(file: string): CatalogProblem {
  const beside = leftOver(file);
  if (beside !== undefined) return beside;
  return {
    kind: 'missing',
    message: `There is no catalog at ${file}.`,
    remedy:
      'For a first start make one: holdfast catalog init. If there was one, do not: without it every existing ' +
      `ciphertext is unreadable. ${restore}`,
  };
}

/**
 * SQLite's files without their database: it was removed or renamed while in use. SQLite would take them for those of
 * the next file with the name.
 */
function leftOver(file: string): CatalogProblem | undefined {
  const names = [`${file}-wal`, `${file}-shm`, `${file}-journal`];
  const found = names.filter((name) => lookFor(name, lstatSync) !== undefined);
  if (found.length === 0) return undefined;
  return {
    kind: 'left-over',
    message: `There is no catalog at ${file}, but ${found.join(' and ')} of one: it was removed or renamed.`,
    remedy: `If the file still exists, put it back beside them: they hold its last changes. Otherwise move them away and restore a backup (holdfast catalog restore).`,
  };
}

function empty(file: string): CatalogProblem {
  return {
    kind: 'empty',
    message: `The catalog ${file} is empty: a copy that failed, or a file that was cut off.`,
    remedy: `${restore} For a first start remove the empty file and make a catalog: holdfast catalog init.`,
  };
}

function noRegularFile(file: string, found: Stats): CatalogProblem {
  const kind = 'no-regular-file';
  if (found.isDirectory()) {
    return {
      kind,
      message: `The catalog ${file} is a folder and no regular file.`,
      remedy: 'Name a file in catalog.path.',
    };
  }
  if (!found.isSymbolicLink()) {
    return { kind, message: `The catalog ${file} is no regular file.`, remedy: 'Name a file in catalog.path.' };
  }
  const target = readlinkSync(file);
  const exists = lookFor(file, statSync) !== undefined;
  return {
    kind,
    message: `The catalog ${file} is a link to ${target}${exists ? '' : ', which does not exist'}, and no regular file.`,
    remedy: exists ? 'Name the file itself in catalog.path.' : restore,
  };
}

function anotherUser(file: string, { uid }: Stats): CatalogProblem {
  const message = `The catalog's file ${file} belongs to another user (uid ${uid}).`;
  return { kind: 'owner', message, remedy: 'Run as that user, or give the file to this one (chown).' };
}

function accessProblem(file: string, found: Stats): CatalogProblem | undefined {
  if (!found.isFile()) return noRegularFile(file, found);
  if (!isOurs(found)) return anotherUser(file, found);
  if ((found.mode & 0o077) !== 0) {
    // Not opened for inspection: SQLite creates files beside it, and gives them its mode.
    const message = `Other users may use the file ${file} of the catalog: it was not looked into.`;
    return { kind: 'mode', message, remedy: `If it is this deployment's catalog, forbid it: chmod 600 ${file}` };
  }
  return undefined;
}

/** Its content, through a read-only connection. */
function contentProblem(
  file: string,
  owner: CatalogOwner | undefined,
  busyTimeoutMs: number,
): CatalogProblem | undefined {
  const connection = new Sqlite(file, { readonly: true, fileMustExist: true, timeout: busyTimeoutMs });
  try {
    connection.pragma('trusted_schema = OFF');
    return anotherProgram(connection, file) ?? structureProblem(connection, file) ?? ownerProblem(connection, owner);
  } finally {
    connection.close();
  }
}

function anotherProgram(connection: Sqlite.Database, file: string): CatalogProblem | undefined {
  if (connection.pragma('application_id', { simple: true }) === applicationId) return undefined;
  const { count } = connection.prepare('select count(*) as count from sqlite_schema').get() as { count: number };
  if (count === 0) return empty(file);
  return {
    kind: 'another-program',
    message: `The file ${file} is a SQLite database but no Holdfast catalog. Nothing was changed in it.`,
    remedy: 'Name another file in catalog.path.',
  };
}

function structureProblem(connection: Sqlite.Database, file: string): CatalogProblem | undefined {
  const found = connection.pragma('quick_check(1)', { simple: true });
  if (found !== 'ok') return damaged(file, String(found));
  const tables = connection.prepare("select name from sqlite_schema where type = 'table'").pluck().all();
  if (!tables.includes('catalog_metadata')) return damaged(file, 'it has no catalog_metadata');
  const version = connection.prepare('select schema_version from catalog_metadata').pluck().get();
  if (typeof version !== 'number') return damaged(file, 'it does not say which schema it has');
  if (version >= 1 && !tables.includes('keys')) return damaged(file, 'it has no keys table');
  if (version <= schemaVersion) return undefined;
  return {
    kind: 'newer-schema',
    message: `The catalog has schema ${version}, and this version of Holdfast knows schemas up to ${schemaVersion}.`,
    remedy: 'Start the newer version that last used this catalog.',
  };
}

function damaged(file: string, what: string): CatalogProblem {
  return { kind: 'damaged', message: `The catalog ${file} is damaged or cut off: ${what}.`, remedy: mend };
}

function ownerProblem(connection: Sqlite.Database, owner: CatalogOwner | undefined): CatalogProblem | undefined {
  const version = connection.prepare('select schema_version from catalog_metadata').pluck().get();
  const strangers = owner === undefined || version === 0 ? undefined : strangersIn(connection, owner);
  if (strangers === undefined) return undefined;
  return {
    kind: 'another-deployment',
    message: strangers,
    remedy:
      'Name the catalog of this deployment in catalog.path; or, if identity or clusters were changed, change them back: ' +
      'what exists is found under its old names only.',
  };
}

/** The error to throw in place of one of SQLite or of the system; other errors are returned unchanged. */
export function openError(file: string, thrown: unknown): unknown {
  const cause = thrown instanceof HoldfastError ? thrown.cause : thrown;
  if (!isSqliteError(cause) && !isSystemError(cause)) return thrown;
  const { message, remedy } = errorProblem(file, cause);
  return new CatalogOpenError(`${message} ${remedy}`, { cause });
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

function errorProblem(file: string, error: unknown): CatalogProblem {
  return isSqliteError(error) ? sqliteProblem(file, error) : systemProblem(file, error as NodeJS.ErrnoException);
}

function sqliteProblem(file: string, error: InstanceType<Sqlite.SqliteError>): CatalogProblem {
  const { code, message } = error;
  const what = `The catalog ${file} cannot be used: ${message} (${code}).`;
  if (isBusy(error)) {
    const remedy = 'End what holds it (fuser shows which process): a restore, a backup tool, an open sqlite3.';
    return { kind: 'busy', message: what, remedy };
  }
  if (/^SQLITE_(NOTADB|CORRUPT)/.test(code)) return damaged(file, `${message} (${code})`);
  if (/^SQLITE_READONLY/.test(code)) {
    const remedy =
      "Let the service's user read and write the file and its folder, on a file system that is mounted for writing.";
    return { kind: 'not-writable', message: what, remedy };
  }
  // Neither reveals the system's error: a full disk, a quota, a limit, or a broken disk.
  if (/^SQLITE_(FULL|IOERR_(SHMSIZE|WRITE))$/.test(code)) {
    const remedy = `Make room on the disk of ${dirname(file)} (df -h, df -i), and let this process make files that large (ulimit -f); then look after the disk.`;
    return { kind: 'full', message: what, remedy };
  }
  const remedy = `Check that ${dirname(file)} is there, has room (df -h, df -i), is mounted for writing, and that this user may use it; then the disk.`;
  return { kind: 'unusable', message: what, remedy };
}

/** The path that the system means may be the folder. */
function systemProblem(file: string, error: NodeJS.ErrnoException): CatalogProblem {
  const { code, reason, remedy } = pathProblem(error, 'written');
  const message = `The catalog ${file} cannot be used: ${error.path ?? file} ${reason}.`;
  const sentence = `${remedy[0]?.toUpperCase()}${remedy.slice(1)}.`;
  if (/^(EROFS|EACCES|EPERM)$/.test(code)) return { kind: 'not-writable', message, remedy: sentence };
  return { kind: /^(ENOSPC|EDQUOT|EFBIG)$/.test(code) ? 'full' : 'unusable', message, remedy: sentence };
}
