/** Clusters behind their quotas of operations per second. */
import type { Clock } from '../clock.js';
import { toHoldfastError } from '../errors.js';
import type { ClusterOperation, HsmCluster, HsmClusters } from './hsm-cluster.js';
import { OperationQuota } from './operation-quota.js';

/**
 * Puts the clusters behind their quotas: above its quota a cluster answers THROTTLING. Each operation that uses a key
 * or draws random bytes counts, so a ReEncrypt is two, as with AWS; making, destroying and listing keys is free.
 * @param operationsPerSecond by cluster id; a cluster that is absent has no quota. A quota outlives the connection.
 */
export function throttledClusters(
  clusters: HsmClusters,
  operationsPerSecond: ReadonlyMap<string, number>,
  clock: Clock,
): HsmClusters {
  const quotas = new Map([...operationsPerSecond].map(([id, most]) => [id, new OperationQuota(most, clock)]));
  return {
    describe: (clusterId) => clusters.describe(clusterId),
    list: () => clusters.list(),
    async connect(clusterId, ...attempt) {
      const outcome = await clusters.connect(clusterId, ...attempt);
      const quota = quotas.get(clusterId);
      if (!outcome.connected || quota === undefined) return outcome;
      return { connected: true, cluster: throttled(outcome.cluster, quota) };
    },
    disconnect: (clusterId, deadlineMs) => clusters.disconnect(clusterId, deadlineMs),
  };
}

/**
 * The operations that do not count: making, copying, archiving, proving, destroying and listing keys, and witnesses. All others use a key or draw
 * random bytes, and count.
 */
const free: ReadonlySet<ClusterOperation> = new Set([
  'generateKeyMaterial',
  'copyKeyMaterial',
  'proveKeyMaterial',
  'wrapKeyMaterial',
  'makeBackupMac',
  'proveWrappedKeyMaterial',
  'rewrapKeyMaterial',
  'resolveDuplicates',
  'restoreKeyMaterial',
  'destroyKeyMaterial',
  'listMaterialIds',
  'readWitnesses',
  'writeWitness',
  'listOpenMembers',
]);

function throttled(cluster: HsmCluster, quota: OperationQuota): HsmCluster {
  return {
    clusterId: cluster.clusterId,
    perform(operation, request, call) {
      try {
        if (!free.has(operation)) quota.spend();
      } catch (error) {
        return Promise.reject(toHoldfastError(error));
      }
      return cluster.perform(operation, request, call);
    },
  };
}
