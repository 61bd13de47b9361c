import { onAccount } from '../operation.js';

/** The id of the backup that was begun. */
export interface CreateBackupResponse {
  backupId: string;
}

/** The descriptor of CreateBackup. It answers at once; DescribeBackups shows the progress and the end. */
export const createBackupOperation = onAccount<object>({
  plane: 'control',
  audited: [],
  created: (response) => (response as CreateBackupResponse).backupId,
  action: 'holdfast:CreateBackup',
  run: async ({ backups }): Promise<CreateBackupResponse> => ({ backupId: await backups.startBackup() }),
});
