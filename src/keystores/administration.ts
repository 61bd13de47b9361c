/** The dependencies of the operations on custom key stores, and the checks that several of them share. */
import type { Clock } from '../clock.js';
import { HoldfastError } from '../errors.js';
import type { Identifiers } from '../ids.js';
import type { Scope } from '../calls/scope.js';
import type { KeyStoreCatalog, PasswordSealer } from './catalog.js';
import type { ClusterDescription, HsmClusters } from '../clusters/hsm-cluster.js';
import type { PinTrials } from '../clusters/pin-trials.js';
import type { DefaultPinCatalog, DefaultPinRecord } from './default-pin-record.js';
import type { PinRotationCatalog, PinRotationWork } from './pin-rotation.js';
import type { StoreRecord } from './store.js';

/** AWS KMS Developer Guide, "Resource quotas": ten stores per account and region, of any type and state. */
export const customKeyStoreLimit = 10;

/** The asynchronous half of connecting and disconnecting. Implemented by `registry.ts`. Neither call throws or waits. */
export interface ConnectionJobs {
  /** Connects a store whose state has just become CONNECTING. */
  startConnecting(customKeyStoreId: string): void;
  /** Closes a store whose state has just become DISCONNECTING. */
  startDisconnecting(customKeyStoreId: string): void;
}

/** The dependencies of the operations on custom key stores. */
export interface KeyStoreAdministration {
  keyStoreCatalog: KeyStoreCatalog;
  passwordSealer: PasswordSealer;
  hsmClusters: Pick<HsmClusters, 'describe'>;
  /** The default key store's cluster, which no custom key store may use; null if there is no default key store. */
  defaultClusterId: string | null;
  /** The present PIN of the default key store, sealed; null if there is no default key store. */
  defaultPin: { sealed(): Promise<DefaultPinRecord> } | null;
  /** Whether this process has the default key store open. */
  isDefaultConnected: () => boolean;
  pinTrials: PinTrials;
  pinRotationCatalog: PinRotationCatalog & DefaultPinCatalog;
  pinRotations: PinRotationWork;
  connectionJobs: ConnectionJobs;
  clock: Clock;
  identifiers: Identifiers;
}

/** @throws CUSTOM_KEY_STORE_NOT_FOUND */
export async function requireStore(
  core: Pick<KeyStoreAdministration, 'keyStoreCatalog'>,
  scope: Scope,
  customKeyStoreId: string,
): Promise<StoreRecord> {
  const store = await core.keyStoreCatalog.findStore(scope, customKeyStoreId);
  if (store === undefined) throw storeNotFound(customKeyStoreId);
  return store;
}

/** CUSTOM_KEY_STORE_NOT_FOUND, also for a store of another account or region: its scope hides it. */
export function storeNotFound(idOrName: string): HoldfastError {
  return new HoldfastError('CUSTOM_KEY_STORE_NOT_FOUND', `Custom key store '${idOrName}' does not exist.`);
}

/** CUSTOM_KEY_STORE_NAME_IN_USE: names are unique in an account and region. */
export function storeNameInUse(name: string): HoldfastError {
  return new HoldfastError(
    'CUSTOM_KEY_STORE_NAME_IN_USE',
    `A custom key store with the name '${name}' already exists.`,
  );
}

/** CLOUD_HSM_CLUSTER_IN_USE, even if the other store belongs to an account that the caller cannot see. */
export function clusterInUse(clusterId: string): HoldfastError {
  return new HoldfastError(
    'CLOUD_HSM_CLUSTER_IN_USE',
    `Cluster '${clusterId}' is already in use by another key store; a cluster serves one key store.`,
  );
}

/**
 * The cluster of a key store, if the store may use it.
 * @param owner the kind of the key store
 * @throws CLOUD_HSM_CLUSTER_NOT_FOUND (not configured), CLOUD_HSM_CLUSTER_IN_USE (it is the default key store's),
 *   CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION (fewer members than required).
 */
export function requireUsableCluster(
  core: Pick<KeyStoreAdministration, 'hsmClusters' | 'defaultClusterId'>,
  clusterId: string,
  owner: 'custom' | 'default' = 'custom',
): ClusterDescription {
  const cluster = core.hsmClusters.describe(clusterId);
  if (cluster === undefined) {
    throw new HoldfastError(
      'CLOUD_HSM_CLUSTER_NOT_FOUND',
      `Cluster '${clusterId}' is not in the server's configuration.`,
    );
  }
  if (clusterId === core.defaultClusterId && owner === 'custom') throw clusterInUse(clusterId);
  if (cluster.memberNames.length < cluster.minimumMembers) throw tooFewMembers(cluster);
  return cluster;
}

function tooFewMembers(cluster: ClusterDescription): HoldfastError {
  return new HoldfastError(
    'CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION',
    `Cluster '${cluster.clusterId}' has ${cluster.memberNames.length} members and needs ${cluster.minimumMembers}.`,
    { retryable: false },
  );
}
