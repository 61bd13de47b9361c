import type { OperationTrace } from '../calls/trace.js';
import { toHoldfastError } from '../errors.js';
import type { ClusterOperation, HsmCluster } from './hsm-cluster.js';

/** The name in spans: `listMaterialIds` becomes `list-material-ids`. */
function spanNameOf(operation: ClusterOperation): string {
  return operation.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/**
 * A cluster whose operations are parts of the traces of their requests, each with its attempts below it. The operations
 * of an untraced request pass straight through.
 * @param customKeyStoreId null: the default key store
 */
export function tracedCluster(cluster: HsmCluster, customKeyStoreId: string | null): HsmCluster {
  const attributes = {
    'holdfast.cluster.id': cluster.clusterId,
    'holdfast.key_store.id': customKeyStoreId ?? 'default',
  };
  return {
    clusterId: cluster.clusterId,
    perform(operation, request, call) {
      if (call.trace === undefined) return cluster.perform(operation, request, call);
      const name = spanNameOf(operation);
      const part = call.trace.startOperation(`hsm ${name}`, { ...attributes, 'holdfast.hsm.operation': name });
      return ended(part, cluster.perform(operation, request, { ...call, trace: part }));
    },
  };
}

async function ended<T>(part: OperationTrace, operation: Promise<T>): Promise<T> {
  try {
    const result = await operation;
    part.end();
    return result;
  } catch (error) {
    const { code } = toHoldfastError(error);
    part.end({ 'holdfast.error_code': code }, code);
    throw error;
  }
}
