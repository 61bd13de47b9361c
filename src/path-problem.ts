import type { Stats } from 'node:fs';
import { access, stat } from 'node:fs/promises';

/** The attempted use of a path, as a sentence says it. */
export type PathUse = 'read' | 'written' | 'looked at';

/** Why the system does not let a path be used. A missing file is one reason of many, and each has its own remedy. */
export interface PathProblem {
  /** The system's code: `ENOENT`, `EACCES`, … */
  code: string;
  /** Continues a sentence that begins with the path. */
  reason: string;
  /** The remedy, as a clause. */
  remedy: string;
}

const room = 'make room on its disk, or raise the quota';
const disk = 'check the disk or the mount (dmesg says more), and mount it again';

/** The reason, if it does not depend on the attempted use, and the remedy. */
const known: Readonly<Record<string, readonly [reason: string, remedy: string]>> = {
  ENOENT: ['does not exist', 'correct the path, or put the file there'],
  ENOTDIR: [
    'does not exist: a part of its path is not a folder',
    'correct the path: it names a file where a folder should be',
  ],
  ELOOP: ['is a symbolic link that leads in a circle', 'correct the link, or name in the path what it should lead to'],
  ENAMETOOLONG: ['has a longer name than the system allows', 'name a shorter path'],
  EROFS: ['is on a file system that is mounted read-only', 'mount it for writing, or name a path on another one'],
  // Opening a Unix socket, or a device without a driver.
  ENXIO: ['is not a file but a socket or a device', 'name a file'],
  ENOSPC: ['has no room on its disk', room],
  EDQUOT: ['has no room within the quota of this user', room],
  EFBIG: ['would be larger than this process may make a file', 'raise the limit (LimitFSIZE of the unit, ulimit -f)'],
  EMFILE: ['cannot be opened: this process has too many files open', 'raise LimitNOFILE of the unit'],
  ENFILE: ['cannot be opened: this machine has too many files open', 'raise fs.file-max of this machine'],
  EIO: ['is on a disk that answers with errors (EIO)', disk],
  ESTALE: ['is on a mount that its server no longer knows (ESTALE)', disk],
  ENOTCONN: ['is on a mount whose program has ended (ENOTCONN)', disk],
  ETIMEDOUT: ['is on a mount that does not answer (ETIMEDOUT)', disk],
  ENODEV: ['is on a device that is gone (ENODEV)', disk],
};

/** Explains the system's error for a path. Each code has one explanation everywhere. */
export function pathProblem(error: unknown, use: PathUse): PathProblem {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const found = known[code];
  if (found !== undefined) return { code, reason: found[0], remedy: found[1] };
  if (code === 'EACCES' || code === 'EPERM') {
    const remedy =
      "let the service's user use it and enter its folders (namei -l shows their modes), or run this as that user";
    return { code, reason: `may not be ${use} by this user`, remedy };
  }
  return {
    code,
    reason: `cannot be ${use} (${code === '' ? message : code})`,
    remedy: 'check the path, its folders and its mount',
  };
}

/** The file that a path names, or why that is unknown. */
export async function lookAt(
  path: string,
  look: (path: string) => Promise<Stats> = stat,
): Promise<Stats | PathProblem> {
  try {
    return await look(path);
  } catch (error) {
    return pathProblem(error, 'looked at');
  }
}

/** Whether `lookAt` found a reason instead of a file. */
export function isProblem(found: Stats | PathProblem): found is PathProblem {
  return 'remedy' in found;
}

/** Why this user cannot use a path that exists; `mode` is of access(2). */
export async function accessProblem(path: string, mode: number, use: PathUse): Promise<PathProblem | undefined> {
  try {
    await access(path, mode);
    return undefined;
  } catch (error) {
    return pathProblem(error, use);
  }
}
