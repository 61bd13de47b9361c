import type { Manifest, ManifestCluster, OmissionReason } from '../backup/manifest.js';
import type {
  Backup,
  DescribeKeyDeletionResponse,
  RetainingBackup,
} from '../faces/grpc/gen/holdfast/admin/v1/backup_service.js';

/** A backup, for people. */
export function backupLines(backup: Backup): string[] {
  const { backupId = '', fileName = '', state = '', keyMaterials = 0, absentKeyMaterials = 0, sizeBytes = 0n } = backup;
  const lines = [
    `backup ${backupId}: ${state.replace('BACKUP_STATE_', '')}`,
    `  archive ${fileName}, ${sizeBytes} bytes, ${keyMaterials} key materials`,
  ];
  if (absentKeyMaterials > 0) lines.push(`  NOT in it: ${absentKeyMaterials} key materials`);
  for (const { clusterId, generation } of backup.generations)
    lines.push(`  needs generation ${generation} of cluster ${clusterId}`);
  const place: string = backup.place ?? '';
  if (place === 'ARCHIVE_PLACE_ABSENT' || place === 'ARCHIVE_PLACE_UNCERTAIN')
    lines.push(`  its file ${places[place]}`);
  const { verificationTime, verificationFailure } = backup;
  const verification: string | undefined = backup.verification;
  if (verification === undefined) lines.push('  never verified: holdfast backup verify');
  else
    lines.push(
      `  verification ${verification.replace('BACKUP_VERIFICATION_', '')} ${verificationTime?.toISOString() ?? ''}`,
    );
  if (verification === 'BACKUP_VERIFICATION_UNAUTHENTICATED')
    lines.push('  it is whole, but no key material is in it, so nothing shows who made it');
  if (verificationFailure !== undefined) lines.push(`  ${verificationFailure}`);
  return lines;
}

const places: Readonly<Record<string, string>> = {
  ARCHIVE_PLACE_FOLDER: 'is in the folder',
  ARCHIVE_PLACE_MAKING: 'is being made',
  ARCHIVE_PLACE_ABSENT: 'is gone from the folder; may exist elsewhere',
  ARCHIVE_PLACE_UNCERTAIN: 'is not what has its name in the folder, or cannot be read; may exist elsewhere',
  ARCHIVE_PLACE_COPIED:
    'was removed; it was read before, or may have been before a restore of the catalog, so a copy may exist',
  ARCHIVE_PLACE_UNKNOWN: 'is not known to this catalog, which was restored',
};

/** What is left of a key, for people. */
export function keyReportLines(keyId: string, report: DescribeKeyDeletionResponse): string[] {
  const { complete, destroyedTime, retainingBackups, retainingBackupCount = 0 } = report;
  const destroyed =
    destroyedTime === undefined ? 'is not destroyed' : `was destroyed at ${destroyedTime.toISOString()}`;
  const lines = [`key ${keyId} ${destroyed}; its deletion is ${complete === true ? 'complete' : 'NOT complete'}`];
  lines.push(...retainingBackups.map(retainingLine));
  const more = retainingBackupCount - retainingBackups.length;
  if (more > 0) lines.push(`  and in ${more} more`);
  const isElsewhere = retainingBackups.some(({ place }) => elsewhere.includes(place ?? ''));
  if (isElsewhere) lines.push('when no copy of one is left anywhere: holdfast backup delete ID --gone');
  return lines;
}

const elsewhere = ['ARCHIVE_PLACE_ABSENT', 'ARCHIVE_PLACE_UNCERTAIN', 'ARCHIVE_PLACE_COPIED', 'ARCHIVE_PLACE_UNKNOWN'];

function retainingLine({ backupId = '', fileName = '', startTime, place, unknownSince }: RetainingBackup): string {
  const start = startTime?.toISOString() ?? '';
  if (fileName === '')
    return `  may be in archives that were begun from ${unknownSince?.toISOString() ?? ''} to ${start}, which this catalog does not know (${backupId})`;
  return `  may be in ${fileName} of ${start}, which ${places[place ?? ''] ?? ''} (${backupId})`;
}

const omissions: Readonly<Record<OmissionReason, string>> = {
  'vendor-replication': "catalog only: its keys never leave the vendor's cluster; use the vendor's backup",
  'no-replication': 'catalog only: its keys never leave their token; there is no backup of them',
  'not-connected': 'catalog only: IT WAS NOT CONNECTED',
  'not-configured': 'catalog only: THE CONFIGURATION DID NOT HAVE IT',
};

/** A manifest, for people. */
export function manifestLines(manifest: Manifest): string[] {
  const { catalog, identity } = manifest;
  return [
    `archive ${manifest.archive_id} of ${manifest.created_date}, by Holdfast ${manifest.holdfast_version}`,
    `  ${identity.partition}, ${identity.region}, accounts ${identity.accounts.join(', ')}`,
    `  catalog ${catalog.incarnation_id}, schema ${catalog.schema_version}: ${catalog.keys} keys, ${catalog.tombstones} deleted ones`,
    ...manifest.clusters.map(clusterLine),
    'nothing of this is proved: holdfast backup verify',
  ];
}

function clusterLine({
  name,
  cluster_id: id,
  replication,
  trust,
  generation,
  omission,
  materials,
}: ManifestCluster): string {
  const trusted = trust === null ? '' : `, trust ${trust}`;
  const what =
    omission === null
      ? `${materials} key materials of generation ${generation ?? ''}`
      : `${omissions[omission]} (${materials} key materials)`;
  return `  cluster ${name} (${id}), replication ${replication}${trusted}: ${what}`;
}
