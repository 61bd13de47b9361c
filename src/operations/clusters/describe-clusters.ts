import { onAccount } from '../operation.js';
import type { ClusterAdministration, ClusterReport } from './cluster-administration.js';
import { configuredCluster } from './configured-cluster.js';

/** All clusters, or the one that is named. */
export interface DescribeClustersRequest {
  clusterId?: string | undefined;
}

/** In the order of the configuration. */
export interface DescribeClustersResponse {
  clusters: ClusterReport[];
}

/** What this process knows; asks no HSM. @throws CLOUD_HSM_CLUSTER_NOT_FOUND */
function describeClusters(
  clusters: ClusterAdministration,
  { clusterId }: DescribeClustersRequest,
): DescribeClustersResponse {
  return { clusters: clusterId === undefined ? clusters.reports() : [configuredCluster(clusters, clusterId)] };
}

/** DescribeClusters. Its action has a prefix of its own, because AWS has no such action. */
export const describeClustersOperation = onAccount<DescribeClustersRequest>({
  plane: 'data',
  audited: ['clusterId'],
  action: 'holdfast:DescribeClusters',
  run: ({ clusters }, { request }) => Promise.resolve(describeClusters(clusters, request)),
});
