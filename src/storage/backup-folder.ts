import type { Stats } from 'node:fs';
import { isProblem, lookAt, type PathProblem } from '../path-problem.js';

/**
 * Why a folder is not safe for archives: whoever may write to it can take them away, or put others in their place, and what
 * the service says of deletions and restores would be theirs to decide. Undefined if it is ours alone, or cannot be looked at,
 * which its use will show. Root may own it.
 */
export async function exposedBackupFolder(folder: string): Promise<PathProblem | undefined> {
  const found = await lookAt(folder);
  return isProblem(found) || !found.isDirectory() ? undefined : exposure(folder, found);
}

function exposure(folder: string, { mode, uid }: Stats): PathProblem | undefined {
  const own = process.geteuid?.();
  if (uid !== 0 && own !== undefined && uid !== own)
    return {
      code: 'EXPOSED',
      reason: `belongs to another user (uid ${uid}), who can take archives away or replace them`,
      remedy: `give it to the service's user: chown ${own} ${folder}`,
    };
  if ((mode & 0o022) === 0) return undefined;
  return {
    code: 'EXPOSED',
    reason: `may be written by other users (mode ${(mode & 0o7777).toString(8)}), who can take archives away or replace them`,
    remedy: `chmod 700 ${folder}`,
  };
}
