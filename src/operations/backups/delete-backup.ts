import { onAccount } from '../operation.js';
import type { BackupRequest } from './describe-backups.js';

/** The backup whose archive goes. */
export interface DeleteBackupRequest extends BackupRequest {
  /** The operator says that no copy is left anywhere. Default false. */
  noCopyIsLeft?: boolean | undefined;
}

/** The descriptor of DeleteBackup: the archive goes, its record stays. */
export const deleteBackupOperation = onAccount<DeleteBackupRequest>({
  plane: 'control',
  audited: ['backupId', 'noCopyIsLeft'],
  action: 'holdfast:DeleteBackup',
  run: async ({ backups }, { request }) => {
    await backups.remove(request.backupId, request.noCopyIsLeft ?? false);
    return {};
  },
});
