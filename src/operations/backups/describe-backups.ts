import type { BackupPosition } from '../../backup/backup-record.js';
import type { BackupReport } from '../../backup/ports.js';
import { HoldfastError } from '../../errors.js';
import { onAccount } from '../operation.js';
import { cutPage, decodeMarker } from '../pagination.js';

/** The request of an operation on one backup. */
export interface BackupRequest {
  backupId: string;
}

/** All backups, a page at a time, or the one that is named. */
export interface DescribeBackupsRequest extends Partial<BackupRequest> {
  /** 1 to 1,000; default 100. */
  limit?: number | undefined;
  /** The `nextMarker` of the page before. */
  marker?: string | undefined;
}

const defaultLimit = 100;

/** A backup, without the fields that it does not have. */
type DescribedBackup = Record<string, unknown>;

function describedBackup({ work, ...report }: BackupReport): DescribedBackup {
  const all = { ...report, work: work?.kind, doneKeyMaterials: work?.done, totalKeyMaterials: work?.total };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null && value !== undefined));
}

/** The descriptor of DescribeBackups. @throws NOT_FOUND for an id that the catalog does not have, INVALID_MARKER */
export const describeBackupsOperation = onAccount<DescribeBackupsRequest>({
  plane: 'data',
  audited: ['backupId', 'limit'],
  action: 'holdfast:DescribeBackups',
  run: async ({ backups }, { request: { backupId, limit = defaultLimit, marker } }) => {
    const after = positionOf(decodeMarker('DescribeBackups', marker));
    if (backupId === undefined) {
      const found = await backups.list(after, limit + 1);
      const { items, ...next } = cutPage('DescribeBackups', found, limit, markerOf);
      return { backups: items.map(describedBackup), ...next };
    }
    const report = await backups.find(backupId);
    if (report === undefined) throw new HoldfastError('NOT_FOUND', `There is no backup ${backupId}.`);
    return { backups: [describedBackup(report)], truncated: false };
  },
});

const markerOf = ({ startTime, backupId }: BackupPosition): string => `${startTime.getTime()}/${backupId}`;

function positionOf(marker: string | undefined): BackupPosition | undefined {
  const [startMs, backupId] = marker?.split('/') ?? [];
  return backupId === undefined ? undefined : { startTime: new Date(Number(startMs)), backupId };
}
