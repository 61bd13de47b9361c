import { existsSync } from 'node:fs';
import { configuredCatalogProblem } from '../../composition/configured-catalog.js';
import type { BackupConfiguration, Configuration } from '../../config/configuration.js';
import { folderProblem } from '../../preconditions/directories.js';
import { fail, type Finding, ok, warn } from '../../preconditions/finding.js';
import { readRecordedBackups, type RecordedBackups } from '../../storage/recorded-backups.js';

const hourMs = 3_600_000;
/** Where none is scheduled, an archive that is older than a week is worth a word. */
const unscheduledHours = 7 * 24;

/** Whether backups can be made, and what the catalog knows of those that were. */
export async function checkBackups(configuration: Configuration, now: Date): Promise<Finding[]> {
  const { backup, catalog } = configuration;
  if (backup === null) return withoutBackups(configuration);
  const problem = await folderProblem(backup.folder, `make it (mkdir -m 700 ${backup.folder}), for the service's user`);
  const subject = `folder of backups ${backup.folder}`;
  if (problem !== undefined) return [fail(subject, `it ${problem.reason}`, problem.remedy)];
  // Another check reports what is wrong with it.
  if (!existsSync(catalog.path) || (await configuredCatalogProblem(configuration)) !== undefined)
    return [ok(subject, 'is fine')];
  const recorded = readRecordedBackups(catalog.path);
  return recorded === undefined
    ? [ok(subject, 'is fine')]
    : [ok(subject, 'is fine'), ...newestBackup(backup, recorded, now)];
}

function withoutBackups({ clusters }: Configuration): Finding[] {
  return clusters
    .filter(({ replication }) => replication === 'wrapped')
    .map(({ name }) =>
      warn(
        `backups of cluster ${name}`,
        'none are made: if all of its members are lost, so are its keys',
        'add backup to the configuration: docs/operating/backup.md',
      ),
    );
}

function newestBackup(
  { everyHours }: BackupConfiguration,
  { completeDate, verification, verifiedDate, lastFailure }: RecordedBackups,
  now: Date,
): Finding[] {
  const subject = 'the newest complete backup';
  const failure =
    lastFailure === undefined
      ? []
      : [fail('the last backup', `failed: ${lastFailure}`, 'mend that, and holdfast backup create')];
  if (completeDate === undefined) return [...failure, warn(subject, 'there is none yet', 'holdfast backup create')];
  if (verification === 'FAILED')
    return [
      ...failure,
      fail(subject, `of ${completeDate.toISOString()} was refused when it was verified`, 'holdfast backup create'),
    ];
  const verified = verifiedDate === undefined ? 'was never verified' : `was verified at ${verifiedDate.toISOString()}`;
  const words = `is of ${completeDate.toISOString()}, and ${verified}`;
  const isOld = now.getTime() - completeDate.getTime() > 2 * (everyHours ?? unscheduledHours / 2) * hourMs;
  if (isOld) return [...failure, warn(subject, words, 'holdfast backup create; the log says why none was made')];
  if (verifiedDate === undefined) return [...failure, warn(subject, words, 'holdfast backup verify')];
  return [...failure, ok(subject, words)];
}
