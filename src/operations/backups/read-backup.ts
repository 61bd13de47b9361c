import { onAccount } from '../operation.js';
import type { BackupRequest } from './describe-backups.js';

/** A part of an archive. */
export interface ReadBackupRequest extends BackupRequest {
  /** Where the part begins; default 0. */
  offset?: number | undefined;
}

/** The descriptor of ReadBackup. An archive has sealed passwords and wrapped keys, so reading one is an act of control. */
export const readBackupOperation = onAccount<ReadBackupRequest>({
  plane: 'control',
  audited: ['backupId', 'offset'],
  action: 'holdfast:ReadBackup',
  run: ({ backups }, { request: { backupId, offset = 0 } }) => backups.read(backupId, offset),
});
