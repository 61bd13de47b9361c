import type { KeyCatalog } from '../../keys/catalog.js';
import type { Scope } from '../../calls/scope.js';
import type { BackupAdministration, BackupReport } from '../../backup/ports.js';
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
  /** Whether the members have destroyed every material of the key, and every archive that may hold one is known to be gone. */
  complete: boolean;
  /** When the last material was destroyed on the members; left out before. */
  destroyedTime?: Date;
  /** The backups that may hold a material of the key, the newest first; at most 1,000. */
  retainingBackups: RetainingBackup[];
  /** How many there are. */
  retainingBackupCount: number;
}

/** A backup that may hold a key. */
type RetainingBackup = Pick<BackupReport, 'backupId' | 'fileName' | 'startTime' | 'place'> & { unknownSince?: Date };

const maxNamed = 1_000;

/** Also of keys that are not deleted yet. @throws NOT_FOUND for a key that has never been in the account */
export async function describeKeyDeletion(
  { catalog, backups }: { catalog: Pick<KeyCatalog, 'findKey' | 'listMaterialsOfKey'>; backups: BackupAdministration },
  scope: Scope,
  { keyId }: DescribeKeyDeletionRequest,
): Promise<DescribeKeyDeletionResponse> {
  const key = await catalog.findKey(scope, keyId);
  if (key === undefined) throw new HoldfastError('NOT_FOUND', `There has never been a key ${keyId} in this account.`);
  const materials = await catalog.listMaterialsOfKey(keyId);
  // After the materials: a backup that begins between the two looks cannot hold one that was destroyed before the first.
  const retaining = await backups.mayHold(materials);
  const dates = materials.map(({ destroyedDate }) => destroyedDate?.getTime());
  const lastMs = dates.every((date) => date !== undefined) ? Math.max(...dates) : undefined;
  return {
    keyId,
    complete: key.state === 'Deleted' && lastMs !== undefined && retaining.length === 0,
    ...(lastMs === undefined ? {} : { destroyedTime: new Date(lastMs) }),
    retainingBackups: retaining.slice(0, maxNamed).map(retainingBackup),
    retainingBackupCount: retaining.length,
  };
}

function retainingBackup({ backupId, fileName, startTime, place, unknownSince }: BackupReport): RetainingBackup {
  return { backupId, fileName, startTime, place, ...(unknownSince === null ? {} : { unknownSince }) };
}

/** The descriptor of DescribeKeyDeletion, with its function. */
export const describeKeyDeletionOperation = onAccount<DescribeKeyDeletionRequest>({
  plane: 'data',
  audited: ['keyId'],
  action: 'holdfast:DescribeKeyDeletion',
  run: ({ keys: { catalog }, backups }, { request }, { principal }) =>
    describeKeyDeletion({ catalog, backups }, principal, request),
});
