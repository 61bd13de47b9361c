/**
 * A connected cluster as different callers see it. To AWS's clients, the members of a custom key store's cluster are a
 * matter of the store's connection, so an unreachable cluster has another error code there.
 */
import { type ErrorCode, HoldfastError } from '../errors.js';
import type { HsmCluster } from './hsm-cluster.js';
import { tracedCluster } from './traced-cluster.js';

/**
 * One cluster, with a different code in each view if no member takes work. For the default key store all views have the
 * same code.
 */
export interface ClusterViews {
  /** The view for operations on existing keys. */
  forKeys: HsmCluster;
  /** The view for CreateKey and GenerateRandom. */
  forStore: HsmCluster;
  /** The unchanged cluster, for the service's own work. */
  direct: HsmCluster;
}

/** @param customKeyStoreId null: the default key store, whose clients see KEY_UNAVAILABLE. */
export function clusterViews(cluster: HsmCluster, customKeyStoreId: string | null): ClusterViews {
  const traced = tracedCluster(cluster, customKeyStoreId);
  if (customKeyStoreId === null) return { forKeys: traced, forStore: traced, direct: cluster };
  return {
    // AWS KMS Developer Guide, "Troubleshooting a custom key store": the code and message for every cryptographic operation.
    forKeys: withoutKeyUnavailable(traced, 'KMS_INVALID_STATE', 'KMS cannot communicate with your CloudHSM cluster'),
    forStore: withoutKeyUnavailable(
      traced,
      'CUSTOM_KEY_STORE_INVALID_STATE',
      `The HSM cluster of custom key store ${customKeyStoreId} cannot be reached.`,
    ),
    direct: cluster,
  };
}

/** The same cluster, with another code if no member takes work. */
function withoutKeyUnavailable(cluster: HsmCluster, code: ErrorCode, message: string): HsmCluster {
  return {
    clusterId: cluster.clusterId,
    async perform(operation, request, call) {
      try {
        return await cluster.perform(operation, request, call);
      } catch (error) {
        if (!(error instanceof HoldfastError) || error.code !== 'KEY_UNAVAILABLE') throw error;
        const { retryable, retryAfterMs } = error;
        throw new HoldfastError(code, message, { cause: error, retryable, retryAfterMs });
      }
    },
  };
}
