/**
 * The two kinds of key store behind a connection: a custom one from the catalog, and the default one from the
 * configuration.
 */
import type { Secret } from '../secret.js';
import type { KeyStoreCatalog, PasswordSealer } from './catalog.js';
import type { ConnectionTarget, Credential } from './connection.js';
import { statesAllowing } from './connection-state.js';
import type { PinRotationCatalog } from './pin-rotation.js';
import { pinOfMember, type UnsealedPin, unsealedPin } from './sealed-pin.js';

/** Reads a custom key store's state, cluster and password, and writes its new state. */
export interface StoreAccess {
  keyStoreCatalog: KeyStoreCatalog;
  passwordSealer: PasswordSealer;
  /** The default key store; null if the configuration has none: every key then belongs to a custom key store. */
  defaultKeyStore: Pick<DefaultKeyStore, 'clusterId'> | null;
}

/**
 * A custom key store. Its state in the catalog is the one that counts: a connect goes on only while the store is
 * CONNECTING (or CONNECTED, by another process), and every change is a compare-and-set.
 * @param resumed it was connected before: retried while the cause is transient.
 */
export function customStoreTarget(access: StoreAccess, customKeyStoreId: string, resumed: boolean): ConnectionTarget {
  const { keyStoreCatalog, passwordSealer, defaultKeyStore } = access;
  return {
    customKeyStoreId,
    retriesWhileTransient: resumed,
    // A member that is away must not end a store that serves: only the first connection needs them all.
    needs: resumed ? 'one' : 'minimum',
    async wanted() {
      const stores = await keyStoreCatalog.listStoresInStates(statesAllowing('succeeded'));
      const store = stores.find((candidate) => candidate.customKeyStoreId === customKeyStoreId);
      if (store === undefined) return undefined;
      const credential = (): Credential => {
        if (store.clusterId === defaultKeyStore?.clusterId) throw takenByDefaultStore(store.clusterId);
        return {
          clusterId: store.clusterId,
          ...unsealedPin(passwordSealer, store),
        };
      };
      return { clusterId: store.clusterId, credential };
    },
    publishConnected: () =>
      keyStoreCatalog.changeConnectionState(customKeyStoreId, statesAllowing('succeeded'), 'CONNECTED', null),
    async publishFailed(errorCode) {
      await keyStoreCatalog.changeConnectionState(customKeyStoreId, statesAllowing('failed'), 'FAILED', errorCode);
    },
  };
}

/**
 * The credential for a member's next login, as the catalog has it now: the password may have been set since the cluster
 * was connected, and while a PIN is being rotated each member has its own. `uncertain`: either PIN could be refused, so
 * none is tried until the rotation has found out. Undefined if no custom key store has the cluster.
 */
export async function presentCredential(
  {
    keyStoreCatalog,
    passwordSealer,
  }: { keyStoreCatalog: KeyStoreCatalog & PinRotationCatalog; passwordSealer: PasswordSealer },
  { clusterId, memberName }: { clusterId: string; memberName: string },
): Promise<UnsealedPin | 'uncertain' | undefined> {
  // Before the store: a rotation that is completed in between has left its PIN there.
  const rotations = await keyStoreCatalog.listPinRotations();
  const store = await keyStoreCatalog.findStoreByCluster(clusterId);
  if (store === undefined) return undefined;
  const rotation = rotations.find(({ customKeyStoreId }) => customKeyStoreId === store.customKeyStoreId);
  const sealed = pinOfMember(store, rotation, memberName);
  return sealed === 'uncertain' ? sealed : unsealedPin(passwordSealer, sealed);
}

/** The error for a cluster that the configuration gave to the default key store after the custom store was created. */
function takenByDefaultStore(clusterId: string): Error {
  return new Error(`Cluster ${clusterId} is the default key store's; a cluster serves one key store.`);
}

/** The default key store: its cluster, and the PIN of the configuration or of the catalog. */
export interface DefaultKeyStore {
  readonly clusterId: string;
  /** The name of its present PIN in the rows of login attempts, as of the last look. */
  readonly credentialVersion: string;
  /**
   * The credential for the next login of a member, or of the first one. `uncertain` as in `presentCredential`. Undefined once
   * the configured PIN is destroyed, unless the catalog has another.
   */
  present(memberName?: string): Promise<UnsealedPin | 'uncertain' | undefined>;
  /** A member has accepted the PIN. */
  proved(): Promise<void>;
  /** Reads what other processes have changed. */
  look(): Promise<void>;
  destroy(): void;
}

/** The name of a configured PIN of the default key store in the rows of login attempts. */
export function defaultCredentialVersion(
  sealer: PasswordSealer,
  { clusterId, pin }: { clusterId: string; pin: Secret },
): string {
  return `default:${sealer.fingerprint(pin.reveal(), `default-key-store/${clusterId}`)}`;
}

/** Retried while the cause is transient. A refused PIN is not tried again, by this process or the next. */
export function defaultStoreTarget(store: DefaultKeyStore): ConnectionTarget {
  const { clusterId } = store;
  return {
    customKeyStoreId: null,
    retriesWhileTransient: true,
    needs: 'one',
    async wanted() {
      // The store's own; while it is rotated each member has another one.
      const present = await store.present();
      if (present === undefined || present === 'uncertain') return undefined;
      return { clusterId, credential: () => ({ clusterId, ...present }) };
    },
    async publishConnected() {
      await store.proved();
      return true;
    },
    publishFailed: () => Promise.resolve(),
  };
}
