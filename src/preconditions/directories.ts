import { constants } from 'node:fs';
import { lstat, readlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { accessProblem, isProblem, lookAt, type PathProblem } from '../path-problem.js';
import type { Finding } from './finding.js';
import { fail, ok, refuse, warn } from './finding.js';
import type { Surroundings } from './precondition.js';

/**
 * Why this user cannot create a file in a folder; undefined if it can.
 * @param make the remedy if the folder does not exist
 */
export async function folderProblem(folder: string, make: string): Promise<PathProblem | undefined> {
  const found = await lookAt(folder);
  if (isProblem(found)) return found.code === 'ENOENT' ? { ...found, remedy: make } : found;
  if (!found.isDirectory())
    return {
      code: 'ENOTDIR',
      reason: 'is not a folder',
      remedy: 'correct the path: it names a file where a folder should be',
    };
  return accessProblem(folder, constants.W_OK | constants.X_OK, 'written');
}

/** The audit log: the file that `serve` opens, and the rights to append to it. The check creates nothing. */
export async function checkAudit({ configuration }: Surroundings): Promise<Finding[]> {
  const path = configuration.audit.file;
  const subject = `audit log ${path}`;
  const refused = (message: string, remedy: string): Finding[] => [
    refuse(subject, message, `nothing is served without an audit log: ${remedy}`),
  ];
  const found = await lookAt(path);
  if (isProblem(found)) {
    if (found.code !== 'ENOENT') return refused(`it ${found.reason}`, found.remedy);
    return [await checkNewAudit(subject, path)];
  }
  if (!found.isFile() && !found.isCharacterDevice() && !(found.isFIFO() && path.startsWith('/dev/')))
    return refused('it is neither a file nor a character device', 'name a file, or /dev/stdout');
  const unwritable = await accessProblem(path, constants.W_OK, 'written');
  if (unwritable !== undefined) return refused(`it ${unwritable.reason}`, unwritable.remedy);
  // The device for testing a full disk: the only one whose writes are known to fail.
  if (path === '/dev/full') return [fail(subject, 'it is always full', 'name a file, or /dev/stdout')];
  if (found.isFile() && (found.mode & 0o027) !== 0)
    return [
      warn(subject, `others may read or change it (mode ${(found.mode & 0o777).toString(8)})`, `chmod 600 ${path}`),
    ];
  return [ok(subject, found.isFile() ? `${found.size} bytes` : 'a device')];
}

async function checkNewAudit(subject: string, path: string): Promise<Finding> {
  // A dangling link: the file is created where the link points.
  const target = await readlink(path).catch(() => path);
  const folder = dirname(resolve(dirname(path), target));
  const problem = await folderProblem(folder, `make it (mkdir -m 700 ${folder}), and let the service write there`);
  if (problem === undefined) return ok(subject, 'will be made at the first start');
  const { reason, remedy } = problem;
  return refuse(subject, `its folder ${folder} ${reason}`, `nothing is served without an audit log: ${remedy}`);
}

/** The folder in which processes wait for each other's logins. `serve` starts without it, but no key store connects. */
export async function checkLockDirectory({ configuration }: Surroundings): Promise<Finding[]> {
  const path = configuration.lockDirectory;
  const subject = `lock directory ${path}`;
  // A link planted in place of the folder would lead elsewhere, so the addon refuses links.
  const found = await lookAt(path, lstat);
  if (isProblem(found)) {
    if (found.code !== 'ENOENT') return [fail(subject, `it ${found.reason}`, found.remedy)];
    const parent = dirname(path);
    const problem = await folderProblem(parent, 'make it, or set lockDirectory to a folder that this user may write');
    if (problem === undefined) return [ok(subject, 'will be made at the first start')];
    return [fail(subject, `it cannot be made: ${parent} ${problem.reason}`, problem.remedy)];
  }
  if (found.isDirectory() && found.uid === process.geteuid?.() && (found.mode & 0o7777) === 0o700)
    return [ok(subject, 'ours, mode 0700')];
  const remedy = 'remove it, or set lockDirectory to another one';
  return [fail(subject, 'it must be a folder of this user with mode 0700', remedy)];
}
