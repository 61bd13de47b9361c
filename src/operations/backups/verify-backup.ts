import { onAccount } from '../operation.js';
import type { BackupRequest } from './describe-backups.js';

/** The descriptor of VerifyBackup. It answers at once; DescribeBackups shows the progress and the outcome. */
export const verifyBackupOperation = onAccount<BackupRequest>({
  plane: 'control',
  audited: ['backupId'],
  action: 'holdfast:VerifyBackup',
  run: async ({ backups }, { request }) => {
    await backups.startVerification(request.backupId);
    return {};
  },
});
