import type { BackupRecord } from '../../backup/backup-record.js';
import type { BackupAdministration } from '../../backup/ports.js';
import { onAccount } from '../operation.js';
import type { ClusterAdministration, ClusterReport } from './cluster-administration.js';
import { configuredCluster } from './configured-cluster.js';

/** All clusters, or the one that is named. */
export interface DescribeClustersRequest {
  clusterId?: string | undefined;
}

/** In the order of the configuration. */
export interface DescribeClustersResponse {
  clusters: (ClusterReport & { backup?: ClusterBackup })[];
}

/** The newest archive with keys of a cluster. */
type ClusterBackup = Pick<BackupRecord, 'backupId' | 'startTime'> & {
  generation?: number | undefined;
  absentKeyMaterials: number;
  verification?: string;
  verificationTime?: Date;
};

/** What this process knows; asks no HSM. @throws CLOUD_HSM_CLUSTER_NOT_FOUND */
function describeClusters(
  { clusters, backups }: { clusters: ClusterAdministration; backups: Pick<BackupAdministration, 'newestOf'> },
  { clusterId }: DescribeClustersRequest,
): DescribeClustersResponse {
  const reports = clusterId === undefined ? clusters.reports() : [configuredCluster(clusters, clusterId)];
  return { clusters: reports.map((report) => ({ ...report, ...withBackup(report, backups) })) };
}

function withBackup(
  { clusterId }: ClusterReport,
  backups: Pick<BackupAdministration, 'newestOf'>,
): { backup?: ClusterBackup } {
  const newest = backups.newestOf(clusterId);
  if (newest === undefined) return {};
  const { backupId, startTime, generations, absentKeyMaterials, verification, verificationTime } = newest;
  const generation = generations.find((each) => each.clusterId === clusterId)?.generation;
  const verified = verification === null || verificationTime === null ? {} : { verification, verificationTime };
  return { backup: { backupId, startTime, generation, absentKeyMaterials, ...verified } };
}

/** DescribeClusters. Its action has a prefix of its own, because AWS has no such action. */
export const describeClustersOperation = onAccount<DescribeClustersRequest>({
  plane: 'data',
  audited: ['clusterId'],
  action: 'holdfast:DescribeClusters',
  run: (core, { request }) => Promise.resolve(describeClusters(core, request)),
});
