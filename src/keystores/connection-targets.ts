/**
 * The two kinds of key store behind a connection: a custom one from the catalog, and the default one from the
 * configuration.
 */
import { Secret } from '../secret.js';
import type { KeyStoreCatalog, PasswordSealer } from './catalog.js';
import type { ConnectionTarget, Credential } from './connection.js';
import { statesAllowing } from './connection-state.js';
import type { PinRotationCatalog } from './pin-rotation.js';
import { credentialVersionOf, unsealPassword } from './password.js';

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
          pin: new Secret(unsealPassword(passwordSealer, store)),
          credentialVersion: credentialVersionOf(store),
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
): Promise<Omit<Credential, 'clusterId'> | 'uncertain' | undefined> {
  // Before the store: a rotation that is completed in between has left its PIN there.
  const rotations = await keyStoreCatalog.listPinRotations();
  const store = await keyStoreCatalog.findStoreByCluster(clusterId);
  if (store === undefined) return undefined;
  const rotation = rotations.find(({ customKeyStoreId }) => customKeyStoreId === store.customKeyStoreId);
  const isOver = rotation === undefined || rotation.passwordVersion <= store.passwordVersion;
  const phase = isOver ? 'old' : (rotation.members.find((member) => member.memberName === memberName)?.phase ?? 'old');
  if (phase === 'changing' || phase === 'lost') return 'uncertain';
  const has = phase === 'new' && rotation !== undefined ? rotation : store;
  return { pin: new Secret(unsealPassword(passwordSealer, has)), credentialVersion: credentialVersionOf(has) };
}

/** The error for a cluster that the configuration gave to the default key store after the custom store was created. */
function takenByDefaultStore(clusterId: string): Error {
  return new Error(`Cluster ${clusterId} is the default key store's; a cluster serves one key store.`);
}

/** The default key store as the configuration declares it. */
export interface DefaultKeyStore {
  clusterId: string;
  /** The present one. The registry destroys it when it stops. */
  readonly pin: Secret;
}

/** The name of the default key store's PIN in the rows of login attempts. */
export function defaultCredentialVersion(sealer: PasswordSealer, { clusterId, pin }: DefaultKeyStore): string {
  return `default:${sealer.fingerprint(pin.reveal(), `default-key-store/${clusterId}`)}`;
}

/** The default key store's credential for a member's next login; undefined once its PIN is destroyed. */
export function presentDefaultCredential(
  sealer: PasswordSealer,
  store: DefaultKeyStore | null,
): Omit<Credential, 'clusterId'> | undefined {
  if (store === null || store.pin.isDestroyed) return undefined;
  return { pin: store.pin.share(), credentialVersion: defaultCredentialVersion(sealer, store) };
}

/** Retried while the cause is transient. A refused PIN is not tried again, by this process or the next. */
export function defaultStoreTarget(sealer: PasswordSealer, store: DefaultKeyStore): ConnectionTarget {
  const { clusterId } = store;
  const credential = () => ({
    clusterId,
    pin: store.pin.share(),
    credentialVersion: defaultCredentialVersion(sealer, store),
  });
  return {
    customKeyStoreId: null,
    retriesWhileTransient: true,
    needs: 'one',
    wanted: () => Promise.resolve({ clusterId, credential }),
    publishConnected: () => Promise.resolve(true),
    publishFailed: () => Promise.resolve(),
  };
}
