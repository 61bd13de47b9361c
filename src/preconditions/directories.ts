import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Finding } from './finding.js';
import { fail, ok, reasonOf, refuse, warn } from './finding.js';
import type { Surroundings } from './precondition.js';

/** Whether this user may write to a file or a folder, on a file system that is mounted for writing. */
export async function isWritable(path: string): Promise<boolean> {
  return access(path, constants.W_OK).then(
    () => true,
    () => false,
  );
}

/** Whether this user may read a path. */
export async function isReadable(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}

/** The audit log: what `serve` opens, and what it needs to append. Nothing is made. */
export async function checkAudit({ configuration }: Surroundings): Promise<Finding[]> {
  const path = configuration.audit.file;
  const subject = `audit log ${path}`;
  const refused = (message: string, remedy: string): Finding[] => [refuse(subject, message, remedy)];
  const found = await stat(path).catch((error: unknown) => error as NodeJS.ErrnoException);
  if (found instanceof Error && found.code !== 'ENOENT')
    return refused(
      `it cannot be looked at: ${found.message}`,
      'check the path, and that this user may enter its folders',
    );
  if (found instanceof Error) return [await checkNewAudit(subject, dirname(path))];
  if (!found.isFile() && !found.isCharacterDevice() && !(found.isFIFO() && path.startsWith('/dev/')))
    return refused('it is neither a file nor a character device', 'name a file, or /dev/stdout');
  if (!(await isWritable(path)))
    return refused(
      'this user may not write to it',
      'nothing is served without an audit log: let the service write there (chown), on a disk that is mounted for writing',
    );
  // The device that tests a full disk: the only one whose writes are known to fail.
  if (path === '/dev/full') return [fail(subject, 'it is always full', 'name a file, or /dev/stdout')];
  if (found.isFile() && (found.mode & 0o027) !== 0)
    return [
      warn(subject, `others may read or change it (mode ${(found.mode & 0o777).toString(8)})`, `chmod 600 ${path}`),
    ];
  return [ok(subject, found.isFile() ? `${found.size} bytes` : 'a device')];
}

async function checkNewAudit(subject: string, folder: string): Promise<Finding> {
  const remedy = `nothing is served without an audit log: make its folder (mkdir -m 700 ${folder}), and let the service write there`;
  const container = await stat(folder).catch(() => undefined);
  if (container?.isDirectory() !== true) return refuse(subject, `there is no folder ${folder}`, remedy);
  if (!(await isWritable(folder))) return refuse(subject, `this user may not make a file in ${folder}`, remedy);
  return ok(subject, 'will be made at the first start');
}

/** The folder in which processes wait for each other's logins. `serve` starts without it, and no key store connects. */
export async function checkLockDirectory({ configuration }: Surroundings): Promise<Finding[]> {
  const path = configuration.lockDirectory;
  const subject = `lock directory ${path}`;
  try {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) {
      await access(dirname(path), constants.W_OK);
      return [ok(subject, 'will be made at the first start')];
    }
    if (found.isDirectory() && found.uid === process.geteuid?.() && (found.mode & 0o077) === 0)
      return [ok(subject, 'ours, mode 0700')];
    const remedy = 'remove it, or set lockDirectory to another one';
    return [fail(subject, 'it must be a folder of this user with mode 0700', remedy)];
  } catch (error) {
    const remedy = 'set lockDirectory to a folder that this user may write';
    return [fail(subject, `it cannot be used: ${reasonOf(error)}`, remedy)];
  }
}
