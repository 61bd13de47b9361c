import type { BackupReport } from '../../backup/ports.js';
import { HoldfastError } from '../../errors.js';
import { onAccount } from '../operation.js';

/** The request of an operation on one backup. */
export interface BackupRequest {
  backupId: string;
}

/** All backups, or the one that is named. */
export type DescribeBackupsRequest = Partial<BackupRequest>;

/** A backup, without the fields that it does not have. */
type DescribedBackup = Record<string, unknown>;

function describedBackup({ work, ...report }: BackupReport): DescribedBackup {
  const all = { ...report, work: work?.kind, doneKeyMaterials: work?.done, totalKeyMaterials: work?.total };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null && value !== undefined));
}

/** The descriptor of DescribeBackups. @throws NOT_FOUND for an id that the catalog does not have */
export const describeBackupsOperation = onAccount<DescribeBackupsRequest>({
  plane: 'data',
  audited: ['backupId'],
  action: 'holdfast:DescribeBackups',
  run: async ({ backups }, { request: { backupId } }) => {
    const reports = await backups.describe();
    const wanted = reports.filter((report) => backupId === undefined || report.backupId === backupId);
    if (backupId !== undefined && wanted.length === 0)
      throw new HoldfastError('NOT_FOUND', `There is no backup ${backupId}.`);
    return { backups: wanted.map(describedBackup) };
  },
});
