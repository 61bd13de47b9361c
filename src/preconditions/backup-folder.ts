import { exposedBackupFolder } from '../storage/backup-folder.js';
import { folderProblem } from './directories.js';
import { fail, type Finding, ok, refuse } from './finding.js';
import type { Surroundings } from './precondition.js';

/** The folder of backups. `serve` starts without it, and no backup is made; it does not start with one that others may write to. */
export async function checkBackupFolder({ configuration: { backup } }: Surroundings): Promise<Finding[]> {
  if (backup === null) return [];
  const subject = `folder of backups ${backup.folder}`;
  const unusable = await folderProblem(
    backup.folder,
    `make it (mkdir -m 700 ${backup.folder}), for the service's user`,
  );
  if (unusable !== undefined) return [fail(subject, `it ${unusable.reason}`, unusable.remedy)];
  const exposed = await exposedBackupFolder(backup.folder);
  if (exposed !== undefined) return [refuse(subject, `it ${exposed.reason}`, exposed.remedy)];
  return [ok(subject, 'is fine')];
}
