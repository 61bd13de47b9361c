import { delay, type ScheduledTask } from '../clock.js';
import { HoldfastError } from '../errors.js';
import type { Eventual } from '../calls/eventual.js';
import type { Scope } from '../calls/scope.js';
import { type ConnectionJobs, storeNotFound } from './administration.js';
import type { ClusterViews } from '../clusters/cluster-views.js';
import { Connection, type ConnectionTools } from './connection.js';
import { connectionStates, invalidState, requireAllowed, statesAllowing } from './connection-state.js';
import { customStoreTarget, type DefaultKeyStore, defaultStoreTarget, type StoreAccess } from './connection-targets.js';
import type { ClusterDescription, HsmCluster, HsmClusters } from '../clusters/hsm-cluster.js';
import { type KeyLocation, type KeyStores, keyUnavailable, type NewKeyPlace } from './key-stores.js';
import { credentialVersionOf } from './password.js';
import type { ConnectionState, StoreRecord } from './store.js';
import type { StoreConnection } from './store-connection.js';

/** The registry's dependencies, and its times in milliseconds. */
export interface RegistryOptions extends StoreAccess, ConnectionTools {
  hsmClusters: HsmClusters;
  defaultKeyStore: DefaultKeyStore | null;
  /** How long closing a store may take. */
  closeTimeoutMs: number;
  /** How often the catalog is read for changes that other processes made to stores. */
  reconcileIntervalMs: number;
}

/** Bounds of connecting and of following the catalog that configuration does not set. */
export const fixedRegistryTimes = {
  reconcileIntervalMs: 5_000,
  backoff: { firstDelayMs: 500, maximumDelayMs: 30_000 },
} as const;

/** How much later a cluster that closes exactly at the deadline may report it. */
const closeGraceMs = 500;

/** All but DISCONNECTED: the states of a store that this process must follow. */
const statesToFollow = ['CONNECTED', 'CONNECTING', 'DISCONNECTING', 'FAILED'] as const;

/**
 * The key stores of this process: their connections, the asynchronous connect and disconnect jobs, and the return to
 * the catalog's states after a restart. The catalog's state is the truth; this process follows it.
 */
export class KeyStoreRegistry implements KeyStores, ConnectionJobs {
  readonly #options: RegistryOptions;
  readonly #connections = new Map<string, Connection>();
  readonly #closing = new Map<string, Promise<void>>();
  #defaultConnection: Connection | undefined;
  #nextReconciliation: ScheduledTask | undefined;
  #reconciliation: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  /**
   * Connects the default key store and every store that was left CONNECTED or CONNECTING (shown CONNECTING until it is
   * connected), and closes those left DISCONNECTING. Resolves when the jobs have started, not when they have ended.
   */
  async start(): Promise<void> {
    const { defaultKeyStore, keyStoreCatalog, events } = this.#options;
    if (defaultKeyStore !== null)
      this.#defaultConnection = new Connection(this.#options, defaultStoreTarget(defaultKeyStore));
    const resumable = statesAllowing('resume');
    for (const store of await keyStoreCatalog.listStoresInStates(resumable)) {
      await keyStoreCatalog.changeConnectionState(store.customKeyStoreId, resumable, 'CONNECTING', null);
    }
    for (const { customKeyStoreId, clusterId, connectionErrorCode } of await keyStoreCatalog.listStoresInStates([
      'FAILED',
    ]))
      events.foundFailed({ customKeyStoreId, clusterId }, connectionErrorCode);
    this.#reconciliation = this.#reconcile(true);
    await this.#reconciliation;
  }

  /**
   * Closes every connection by the deadline (`Clock.monotonicMs`). States in the catalog stay: the next start connects
   * again.
   * @returns false if a connect still hangs in a module after the deadline: it is abandoned.
   */
  async stop(deadlineMs: number): Promise<boolean> {
    this.#stopped = true;
    this.#nextReconciliation?.cancel();
    await this.#reconciliation;
    const open = this.#allConnections();
    this.#connections.clear();
    const closing = [...open.map((connection) => connection.close(deadlineMs)), ...this.#closing.values()];
    const allClosed = await this.#inTime(Promise.all(closing), deadlineMs + closeGraceMs);
    this.#options.defaultKeyStore?.destroy();
    return allClosed;
  }

  startConnecting(customKeyStoreId: string): void {
    this.#open(customKeyStoreId, false);
  }

  startDisconnecting(customKeyStoreId: string): void {
    this.#close(customKeyStoreId, true);
  }

  clusterOf(location: KeyLocation, keyArn: string): HsmCluster {
    const views = this.#viewsOf(location);
    if (views !== undefined) return views.forKeys;
    if (location.customKeyStoreId !== null) {
      const retryable = this.#connections.get(location.customKeyStoreId)?.isOver !== true;
      throw keyUnavailable(keyArn, retryable);
    }
    const isElsewhere = location.clusterId !== this.#options.defaultKeyStore?.clusterId;
    throw isElsewhere ? notOnDefaultCluster() : this.#defaultStoreUnavailable();
  }

  async clusterForNewKey(scope: Scope, customKeyStoreId: string | undefined): Promise<NewKeyPlace> {
    if (customKeyStoreId === undefined) return this.#defaultPlace();
    const store = await this.#options.keyStoreCatalog.findStore(scope, customKeyStoreId);
    if (store === undefined) throw storeNotFound(customKeyStoreId);
    requireAllowed(store, 'use');
    return this.#customPlace(store);
  }

  clusterForRandom(scope: Scope, customKeyStoreId: string | undefined): Eventual<HsmCluster> {
    if (customKeyStoreId === undefined) return this.#defaultPlace().cluster;
    return this.clusterForNewKey(scope, customKeyStoreId).then(({ cluster }) => cluster);
  }

  connectedCluster(clusterId: string): HsmCluster | undefined {
    const open = this.#allConnections().map((connection) => connection.views?.direct);
    return open.find((cluster) => cluster?.clusterId === clusterId);
  }

  connectionStateOf(customKeyStoreId: string | null): Eventual<ConnectionState> {
    if (customKeyStoreId === null) return this.#defaultState();
    if (this.#connections.get(customKeyStoreId)?.views !== undefined) return 'CONNECTED';
    return this.#publishedState(customKeyStoreId);
  }

  async #publishedState(customKeyStoreId: string): Promise<ConnectionState> {
    const stores = await this.#options.keyStoreCatalog.listStoresInStates(connectionStates);
    const store = stores.find((candidate) => candidate.customKeyStoreId === customKeyStoreId);
    return store?.connectionState ?? 'DISCONNECTED';
  }

  /** The default key store, if there is one, as this process knows it. */
  defaultConnection(): StoreConnection | undefined {
    const { defaultKeyStore } = this.#options;
    if (defaultKeyStore === null) return undefined;
    return {
      store: null,
      clusterId: defaultKeyStore.clusterId,
      state: this.#defaultState(),
      errorCode: this.#defaultConnection?.lastErrorCode ?? null,
      connected: this.#defaultConnection?.views !== undefined,
      credentialVersion: defaultKeyStore.credentialVersion,
    };
  }

  /** Every custom key store of every account, as the catalog has it now. Rejects when the catalog cannot be read. */
  async customConnections(): Promise<StoreConnection[]> {
    const stores = await this.#options.keyStoreCatalog.listStoresInStates(connectionStates);
    return stores.map((store) => {
      const connection = this.#connections.get(store.customKeyStoreId);
      return {
        store,
        clusterId: store.clusterId,
        state: store.connectionState,
        errorCode: store.connectionErrorCode ?? connection?.lastErrorCode ?? null,
        connected: connection?.views !== undefined,
        credentialVersion: credentialVersionOf(store),
      };
    });
  }

  describeCluster(clusterId: string): ClusterDescription | undefined {
    return this.#options.hsmClusters.describe(clusterId);
  }

  #allConnections(): Connection[] {
    const custom = [...this.#connections.values()];
    return this.#defaultConnection === undefined ? custom : [...custom, this.#defaultConnection];
  }

  #viewsOf(location: KeyLocation): ClusterViews | undefined {
    if (location.customKeyStoreId !== null) return this.#connections.get(location.customKeyStoreId)?.views;
    // A key made on another cluster, before the configuration made this one the default.
    if (location.clusterId !== this.#options.defaultKeyStore?.clusterId) return undefined;
    return this.#defaultConnection?.views;
  }

  #defaultPlace(): NewKeyPlace {
    const { defaultKeyStore } = this.#options;
    if (defaultKeyStore === null) throw noDefaultStore();
    const description = this.describeCluster(defaultKeyStore.clusterId);
    const views = this.#defaultConnection?.views;
    if (description === undefined || views === undefined) throw this.#defaultStoreUnavailable();
    return { cluster: views.forStore, description, customKeyStoreId: null, origin: 'AWS_KMS' };
  }

  #customPlace(store: StoreRecord): NewKeyPlace {
    const { customKeyStoreId, clusterId } = store;
    const description = this.describeCluster(clusterId);
    const views = this.#connections.get(customKeyStoreId)?.views;
    // The catalog says CONNECTED, but this process is not yet connected, no longer connected, or failed to connect.
    if (description === undefined || views === undefined) {
      const hasFailed = this.#connections.get(customKeyStoreId)?.isOver === true;
      throw invalidState({ customKeyStoreId, connectionState: hasFailed ? 'FAILED' : 'CONNECTING' }, 'use');
    }
    return { cluster: views.forStore, description, customKeyStoreId, origin: 'AWS_CLOUDHSM' };
  }

  /** While the cause is transient it is retried, and the error says when. */
  #defaultStoreUnavailable(): HoldfastError {
    const connection = this.#defaultConnection;
    if (connection === undefined || connection.isOver) {
      const message = 'The default key store cannot be connected until its operator fixes it.';
      return new HoldfastError('KEY_UNAVAILABLE', message, { retryable: false });
    }
    const retryAfterMs = connection.nextAttemptInMs;
    const message = 'The default key store is not connected. Try again.';
    return new HoldfastError('KEY_UNAVAILABLE', message, { retryable: true, retryAfterMs });
  }

  #defaultState(): ConnectionState {
    if (this.#defaultConnection === undefined) return 'DISCONNECTED';
    if (this.#defaultConnection.views !== undefined) return 'CONNECTED';
    return this.#defaultConnection.isOver ? 'FAILED' : 'CONNECTING';
  }

  /** A connect's own deadline may be far beyond the deadline for stopping the process. */
  async #inTime(work: Promise<unknown>, deadlineMs: number): Promise<boolean> {
    const { clock } = this.#options;
    const done = new AbortController();
    const late = delay(clock, Math.max(0, deadlineMs - clock.monotonicMs()), done.signal).then(() => false);
    try {
      return await Promise.race([work.then(() => true), late]);
    } finally {
      done.abort();
    }
  }

  #open(customKeyStoreId: string, resumed: boolean): void {
    const closing = this.#closing.get(customKeyStoreId);
    if (closing !== undefined) {
      // One after the other: the closing connection must not close the cluster that the next one opens.
      void closing.then(() => this.#open(customKeyStoreId, resumed));
      return;
    }
    const existing = this.#connections.get(customKeyStoreId);
    if (this.#stopped || (existing !== undefined && !existing.isOver)) return;
    this.#connections.set(
      customKeyStoreId,
      new Connection(this.#options, customStoreTarget(this.#options, customKeyStoreId, resumed)),
    );
  }

  /** Takes the store out of use at once and closes it in the background. */
  #close(customKeyStoreId: string, publish: boolean): void {
    if (this.#stopped || this.#closing.has(customKeyStoreId)) return;
    const closed = this.#closeConnection(customKeyStoreId, publish)
      .catch((error: unknown) => {
        this.#options.events.connectionJobFailed(customKeyStoreId, error);
      })
      .finally(() => this.#closing.delete(customKeyStoreId));
    this.#closing.set(customKeyStoreId, closed);
  }

  async #closeConnection(customKeyStoreId: string, publish: boolean): Promise<void> {
    const { clock, closeTimeoutMs, keyStoreCatalog } = this.#options;
    const connection = this.#connections.get(customKeyStoreId);
    this.#connections.delete(customKeyStoreId);
    await connection?.close(clock.monotonicMs() + closeTimeoutMs);
    if (publish)
      await keyStoreCatalog.changeConnectionState(customKeyStoreId, statesAllowing('closed'), 'DISCONNECTED', null);
  }

  async #reconcile(atStart: boolean): Promise<void> {
    try {
      await this.#followCatalog(atStart);
    } catch (error) {
      this.#options.events.connectionJobFailed(null, error);
    }
    if (this.#stopped) return;
    this.#nextReconciliation = this.#options.clock.schedule(this.#options.reconcileIntervalMs, () => {
      this.#reconciliation = this.#reconcile(false);
    });
  }

  async #followCatalog(atStart: boolean): Promise<void> {
    await this.#options.defaultKeyStore?.look();
    // Only connections open before the catalog was read can be out of date: a connect may start while it is read.
    const openBefore = [...this.#connections.keys()];
    const stores = await this.#options.keyStoreCatalog.listStoresInStates(statesToFollow);
    const wanted = new Set<string>();
    for (const { customKeyStoreId, connectionState } of stores) {
      if (connectionState === 'FAILED') {
        // Our connection ended by itself: there is nothing to close or report until an operator disconnects it.
        if (this.#connections.get(customKeyStoreId)?.isOver === true) wanted.add(customKeyStoreId);
        continue;
      }
      if (connectionState === 'DISCONNECTING') {
        this.#close(customKeyStoreId, true);
        continue;
      }
      wanted.add(customKeyStoreId);
      // CONNECTING without a connection of ours: another process connects it, or this one is about to.
      const ours = atStart || connectionState === 'CONNECTED' || this.#connections.has(customKeyStoreId);
      if (ours && !this.#closing.has(customKeyStoreId)) this.#open(customKeyStoreId, true);
    }
    for (const customKeyStoreId of openBefore) {
      if (!wanted.has(customKeyStoreId)) this.#close(customKeyStoreId, false);
    }
  }
}

function noDefaultStore(): HoldfastError {
  return new HoldfastError('UNSUPPORTED_OPERATION', 'This server has no default key store: name a custom key store.');
}

function notOnDefaultCluster(): HoldfastError {
  const message = 'The key is on a cluster that is no longer that of the default key store.';
  return new HoldfastError('KEY_UNAVAILABLE', message, { retryable: false });
}
