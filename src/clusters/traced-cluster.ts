import { toHoldfastError } from '../errors.js';
import type { OperationTrace } from '../calls/trace.js';
import type { HsmCluster } from './hsm-cluster.js';
import type { HsmCall } from '../calls/hsm-call.js';

/**
 * A cluster whose operations are parts of the traces of their requests, each with the tries that it took below it.
 * A request that is not traced goes straight through.
 * @param customKeyStoreId null: the default key store
 */
export function tracedCluster(cluster: HsmCluster, customKeyStoreId: string | null): HsmCluster {
  const attributes = {
    'holdfast.cluster.id': cluster.clusterId,
    'holdfast.key_store.id': customKeyStoreId ?? 'default',
  };
  function traced<T>(
    operation: string,
    call: HsmCall,
    trace: OperationTrace,
    work: (call: HsmCall) => Promise<T>,
  ): Promise<T> {
    const part = trace.startOperation(`hsm ${operation}`, { ...attributes, 'holdfast.hsm.operation': operation });
    return ended(part, work({ ...call, trace: part }));
  }
  return {
    clusterId: cluster.clusterId,
    generateKeyMaterial: (materialId, label, call) => {
      const work = (inner: HsmCall) => cluster.generateKeyMaterial(materialId, label, inner);
      return call.trace === undefined ? work(call) : traced('generate-key-material', call, call.trace, work);
    },
    destroyKeyMaterial: (materialId, deadlineMs) => cluster.destroyKeyMaterial(materialId, deadlineMs),
    encrypt: (material, plaintext, additionalData, call) => {
      const { trace } = call;
      if (trace === undefined) return cluster.encrypt(material, plaintext, additionalData, call);
      return traced('encrypt', call, trace, (inner) => cluster.encrypt(material, plaintext, additionalData, inner));
    },
    decrypt: (material, sealed, additionalData, call) => {
      const { trace } = call;
      if (trace === undefined) return cluster.decrypt(material, sealed, additionalData, call);
      return traced('decrypt', call, trace, (inner) => cluster.decrypt(material, sealed, additionalData, inner));
    },
    generateDataKey: (material, lengthBytes, additionalData, call) => {
      const work = (inner: HsmCall) => cluster.generateDataKey(material, lengthBytes, additionalData, inner);
      return call.trace === undefined ? work(call) : traced('generate-data-key', call, call.trace, work);
    },
    random: (lengthBytes, call) => {
      const work = (inner: HsmCall) => cluster.random(lengthBytes, inner);
      return call.trace === undefined ? work(call) : traced('random', call, call.trace, work);
    },
    listMaterialIds: (deadlineMs) => cluster.listMaterialIds(deadlineMs),
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
