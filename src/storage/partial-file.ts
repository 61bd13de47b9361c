import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, lstatSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** File systems without hard links (exFAT, some network and FUSE mounts) answer with one of these. */
const withoutLinks: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** SQLite's files beside a database; they go with it. */
const besideDatabase = ['', '-journal', '-wal', '-shm'];

/**
 * A file that is written beside its destination and appears there complete, or not at all. A crash leaves at most a
 * partial file, named after its process, which the next one for the same destination removes.
 */
export class PartialFile {
  /** The path to write to. The file is empty and private (0600). */
  readonly path: string;
  readonly #target: string;

  /** @throws the system's error if the folder cannot be written. */
  constructor(target: string) {
    this.#target = target;
    removeAbandoned(target);
    this.path = join(dirname(target), `.${basename(target)}.${process.pid}-${randomBytes(6).toString('hex')}.partial`);
    closeSync(openSync(this.path, 'wx', 0o600));
  }

  /**
   * Syncs the content and gives it its name. Never replaces anything.
   * @returns false if the name is in use.
   */
  publish(): boolean {
    sync(this.path);
    if (!giveName(this.path, this.#target)) return false;
    sync(dirname(this.#target));
    return true;
  }

  /** Removes its remains. Harmless after `publish`. */
  discard(): void {
    for (const end of besideDatabase) rmSync(this.path + end, { force: true });
  }
}

/**
 * Gives a file its name, and replaces nothing. Where a file system has no hard links, it looks first: two at the same moment are kept
 * apart by the lock that both hold.
 * @returns false if the name is in use. @throws the system's error
 */
export function giveName(path: string, target: string): boolean {
  try {
    linkSync(path, target);
    return true;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (!withoutLinks.has(code)) throw error;
  }
  if (lstatSync(target, { throwIfNoEntry: false }) !== undefined) return false;
  renameSync(path, target);
  return true;
}

/** Syncs a file, or the folder of a new one: without that a power cut may lose its name, and the content with it. */
export function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Removes partial files of dead processes: each may be as large as the catalog. */
function removeAbandoned(target: string): void {
  const prefix = `.${basename(target)}.`;
  for (const name of readdirSync(dirname(target))) {
    const [, pid] = (name.startsWith(prefix) && /^(\d+)-[0-9a-f]{12}\.partial/.exec(name.slice(prefix.length))) || [];
    if (pid !== undefined && !isRunning(Number(pid))) rmSync(join(dirname(target), name), { force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
