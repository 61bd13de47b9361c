import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pathProblem } from '../path-problem.js';
import { diskSeverity } from '../status/concerns.js';
import type { Finding } from './finding.js';
import { fail, ok, warn } from './finding.js';
import type { Surroundings } from './precondition.js';

const mebibyte = 1_048_576;

/** The free space of a file system; the parts of `statfs` that matter here. */
export interface FileSystemSpace {
  bsize: number;
  blocks: number;
  bavail: number;
  files: number;
  ffree: number;
}

/** Room for the catalog and the audit log: without it every request is refused. */
export async function checkDisk(
  { configuration }: Surroundings,
  spaceOf: (folder: string) => Promise<FileSystemSpace> = statfs,
): Promise<Finding[]> {
  const folders = new Map([
    ['catalog', dirname(configuration.catalog.path)],
    ['audit log', dirname(configuration.audit.file)],
  ]);
  const findings: Finding[] = [];
  for (const [user, folder] of folders) {
    // Devices have no folder that matters.
    if (!folder.startsWith('/dev/') && folder !== '/dev')
      findings.push(await checkSpace(`disk of the ${user} (${folder})`, folder, spaceOf));
  }
  return findings;
}

/** Another check covers the use of the folder: here only the fill level of its disk is unknown. */
async function checkSpace(
  subject: string,
  folder: string,
  spaceOf: (folder: string) => Promise<FileSystemSpace>,
): Promise<Finding> {
  try {
    return judgeSpace(subject, await spaceOf(folder));
  } catch (error) {
    const { reason, remedy } = pathProblem(error, 'looked at');
    return warn(subject, `its free space is unknown: the folder ${reason}`, remedy);
  }
}

function judgeSpace(subject: string, { bsize, blocks, bavail, files, ffree }: FileSystemSpace): Finding {
  const freeBytes = bsize * bavail;
  const text = `${Math.floor(freeBytes / mebibyte)} MiB free`;
  const remedy = 'make room: move old audit logs away (docs/operating/audit.md), or enlarge the disk';
  if (files > 0 && ffree === 0) return fail(subject, 'it has no inodes left: no file can be made', remedy);
  // A file system without blocks, such as devtmpfs may be, is never full.
  if (blocks === 0) return ok(subject, 'it does not say how large it is');
  const severity = diskSeverity({ freeBytes, sizeBytes: bsize * blocks });
  if (severity === 'FAILURE')
    return fail(subject, `it is ${freeBytes < mebibyte ? 'full' : 'nearly full'}: ${text}`, remedy);
  return severity === 'WARNING' ? warn(subject, text, remedy) : ok(subject, text);
}
