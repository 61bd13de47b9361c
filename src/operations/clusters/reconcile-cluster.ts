import { HoldfastError } from '../../errors.js';
import { onAccount } from '../operation.js';
import type { ClusterAdministration } from './cluster-administration.js';
import { configuredCluster } from './configured-cluster.js';

/** Compares the keys of a cluster with the catalog. */
export interface ReconcileClusterRequest {
  clusterId: string;
  /** Copies nothing. */
  dryRun?: boolean | undefined;
}

/**
 * Starts a comparison and answers at once.
 * @throws CLOUD_HSM_CLUSTER_NOT_FOUND, CUSTOM_KEY_STORE_INVALID_STATE if the cluster is not connected
 */
function reconcileCluster(
  clusters: ClusterAdministration,
  { clusterId, dryRun }: ReconcileClusterRequest,
): Record<string, never> {
  const { connected, name } = configuredCluster(clusters, clusterId);
  if (!connected) {
    throw new HoldfastError('CUSTOM_KEY_STORE_INVALID_STATE', `Cluster ${name} is not connected in this process.`, {
      retryable: false,
    });
  }
  clusters.startReconciling(clusterId, dryRun === true);
  return {};
}

/** The descriptor of ReconcileCluster, with its function. */
export const reconcileClusterOperation = onAccount<ReconcileClusterRequest>({
  plane: 'control',
  audited: ['clusterId', 'dryRun'],
  action: 'holdfast:ReconcileCluster',
  run: ({ clusters }, { request }) => Promise.resolve(reconcileCluster(clusters, request)),
});
