import type { Eventual } from '../calls/eventual.js';
import type { Scope } from '../calls/scope.js';
import type { ClusterDescription, HsmCluster } from '../clusters/hsm-cluster.js';
import { HoldfastError } from '../errors.js';
import type { ConnectionState } from './store.js';

/** The key store and cluster of a key. A `KeyRecord` is one. */
export interface KeyLocation {
  customKeyStoreId: string | null;
  clusterId: string;
}

/** The key stores of this process, for keys and operations. Implemented by `registry.ts`. */
export interface KeyStores {
  /**
   * The connected cluster behind a key, for a cryptographic operation.
   * @throws KMS_INVALID_STATE `<keyArn> is unavailable.` for a custom store that is not connected (AWS note 11);
   *   KEY_UNAVAILABLE for the default key store. For a custom store a cluster that cannot be reached answers
   *   KMS_INVALID_STATE instead of KEY_UNAVAILABLE, as AWS does.
   */
  clusterOf(location: KeyLocation, keyArn: string): HsmCluster;
  /**
   * The cluster for a new key (`customKeyStoreId` undefined: the default key store).
   * @throws CUSTOM_KEY_STORE_NOT_FOUND, CUSTOM_KEY_STORE_INVALID_STATE (not CONNECTED), KEY_UNAVAILABLE (default store not connected),
   *   UNSUPPORTED_OPERATION (the configuration has no default store).
   */
  clusterForNewKey(scope: Scope, customKeyStoreId: string | undefined): Promise<NewKeyPlace>;
  /** The cluster for GenerateRandom. Throws or rejects as `clusterForNewKey`. */
  clusterForRandom(scope: Scope, customKeyStoreId: string | undefined): Eventual<HsmCluster>;
  /** The connected cluster if there is one, for clean-up; undefined otherwise. Never throws. */
  connectedCluster(clusterId: string): HsmCluster | undefined;
  /** The connection state of a store as the catalog publishes it (null: the default key store), for the derived key state `Unavailable`. */
  connectionStateOf(customKeyStoreId: string | null): Eventual<ConnectionState>;
  describeCluster(clusterId: string): ClusterDescription | undefined;
}

/** AWS KMS Developer Guide, "Key states", note 11: the exact message for a key whose store is not connected. */
export function keyUnavailable(keyArn: string, retryable: boolean): HoldfastError {
  return new HoldfastError('KMS_INVALID_STATE', `${keyArn} is unavailable.`, { retryable, keyState: 'Unavailable' });
}

/** The place of a new key: the connected cluster, and the store and origin for its record. */
export interface NewKeyPlace {
  cluster: HsmCluster;
  description: ClusterDescription;
  customKeyStoreId: string | null;
  origin: 'AWS_KMS' | 'AWS_CLOUDHSM';
}
