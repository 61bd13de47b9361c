import { existsSync } from 'node:fs';
import { configuredCatalogProblem } from '../../composition/configured-catalog.js';
import type { BackupConfiguration, Configuration } from '../../config/configuration.js';
import { fail, type Finding, ok, warn } from '../../preconditions/finding.js';
import { archiveFolder } from '../../storage/archive-folder.js';
import { readRecordedBackups, type RecordedBackups } from '../../storage/recorded-backups.js';

const hourMs = 3_600_000;
/** Where none is scheduled, an archive that is older than a week is worth a word. */
const unscheduledHours = 7 * 24;

/** What the catalog knows of the backups that were made, and which of them are there. */
export async function checkBackups(configuration: Configuration, now: Date): Promise<Finding[]> {
  const { backup, catalog } = configuration;
  if (backup === null) return withoutBackups(configuration);
  // Other checks report what is wrong with the folder or the catalog.
  if (!existsSync(catalog.path) || (await configuredCatalogProblem(configuration)) !== undefined) return [];
  const recorded = readRecordedBackups(catalog.path, await filesIn(backup.folder));
  return recorded === undefined ? [] : newestBackup(backup, recorded, now);
}

async function filesIn(folder: string): Promise<ReadonlyMap<string, { sizeBytes: number; isLink: boolean }>> {
  return existsSync(folder) ? archiveFolder(folder).list() : new Map();
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
  { completeDate, verification, verifiedDate, lastFailure, absent }: RecordedBackups,
  now: Date,
): Finding[] {
  const subject = 'the newest complete backup';
  const failure =
    lastFailure === undefined
      ? []
      : [fail('the last backup', `failed: ${lastFailure}`, 'mend that, and holdfast backup create')];
  if (absent > 0)
    failure.push(
      warn(
        'archives',
        `${absent} are gone from the folder, or changed, and may exist elsewhere`,
        'holdfast backup list says which',
      ),
    );
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
