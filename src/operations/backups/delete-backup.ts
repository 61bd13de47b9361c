import { onAccount } from '../operation.js';
import type { BackupRequest } from './describe-backups.js';

/** The descriptor of DeleteBackup: the archive goes, its record stays. */
export const deleteBackupOperation = onAccount<BackupRequest>({
  plane: 'control',
  audited: ['backupId'],
  action: 'holdfast:DeleteBackup',
  run: async ({ backups }, { request }) => {
    await backups.remove(request.backupId);
    return {};
  },
});
