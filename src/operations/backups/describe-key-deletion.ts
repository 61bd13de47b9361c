import { type BackupRecord, holdsMaterial } from '../../backup/backup-record.js';
import type { KeyCatalog } from '../../keys/catalog.js';
import type { Scope } from '../../calls/scope.js';
import type { BackupAdministration } from '../../backup/ports.js';
import { HoldfastError } from '../../errors.js';
import { onAccount } from '../operation.js';

/** The key whose deletion is reported. */
export interface DescribeKeyDeletionRequest {
  /** The key's id; an alias is gone with the key. */
  keyId: string;
}

/** What is left of a key. */
export interface DescribeKeyDeletionResponse {
  keyId: string;
  /** Whether the members have destroyed every material of the key, and no backup that the catalog knows holds one. */
  complete: boolean;
  /** When the last material was destroyed on the members; left out before. */
  destroyedTime?: Date;
  /** The backups that hold a material of the key, the newest first. */
  retainingBackups: Pick<BackupRecord, 'backupId' | 'fileName' | 'startTime'>[];
}

/** Also of keys that are not deleted yet. @throws NOT_FOUND for a key that has never been in the account */
export async function describeKeyDeletion(
  { catalog, backups }: { catalog: Pick<KeyCatalog, 'findKey' | 'listMaterialsOfKey'>; backups: BackupAdministration },
  scope: Scope,
  { keyId }: DescribeKeyDeletionRequest,
): Promise<DescribeKeyDeletionResponse> {
  const key = await catalog.findKey(scope, keyId);
  if (key === undefined) throw new HoldfastError('NOT_FOUND', `There has never been a key ${keyId} in this account.`);
  const materials = await catalog.listMaterialsOfKey(keyId);
  const reports = await backups.describe();
  const retaining = reports.filter((report) => materials.some((material) => holdsMaterial(report, material)));
  const dates = materials.map(({ destroyedDate }) => destroyedDate?.getTime());
  const lastMs = dates.every((date) => date !== undefined) ? Math.max(...dates) : undefined;
  return {
    keyId,
    complete: key.state === 'Deleted' && lastMs !== undefined && retaining.length === 0,
    ...(lastMs === undefined ? {} : { destroyedTime: new Date(lastMs) }),
    retainingBackups: retaining.map(({ backupId, fileName, startTime }) => ({ backupId, fileName, startTime })),
  };
}

/** The descriptor of DescribeKeyDeletion, with its function. */
export const describeKeyDeletionOperation = onAccount<DescribeKeyDeletionRequest>({
  plane: 'data',
  audited: ['keyId'],
  action: 'holdfast:DescribeKeyDeletion',
  run: ({ keys: { catalog }, backups }, { request }, { principal }) =>
    describeKeyDeletion({ catalog, backups }, principal, request),
});
