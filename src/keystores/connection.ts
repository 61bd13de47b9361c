import { type Clock, delay } from '../clock.js';
import type { Secret } from '../secret.js';
import { type Backoff, backoffDelayMs } from './backoff.js';
import { type ClusterViews, clusterViews } from '../clusters/cluster-views.js';
import type { ConnectionEvents, ConnectionPlace } from './connection-events.js';
import type { ConnectOutcome, HsmClusters } from '../clusters/hsm-cluster.js';
import type { ConnectionErrorCode } from '../clusters/hsm-cluster.js';

/** The credential of one connect attempt. */
export interface Credential {
  clusterId: string;
  /** Destroyed after the attempt. */
  pin: Secret;
  credentialVersion: string;
}

/** The key store behind a connection: the source of its credential, and the place where its outcome is published. */
export interface ConnectionTarget {
  readonly customKeyStoreId: string | null;
  /** Retry without a caller while the cause is transient. */
  readonly retriesWhileTransient: boolean;
  /** How many members must open: the cluster's `minimumMembers`, or one. */
  readonly needs: 'minimum' | 'one';
  /** @returns undefined if the connection is no longer wanted. */
  wanted(): Promise<{ clusterId: string; credential(): Credential } | undefined>;
  /** @returns false if the connection is no longer wanted: it is closed again. */
  publishConnected(): Promise<boolean>;
  publishFailed(errorCode: ConnectionErrorCode): Promise<void>;
}

/** Shared by all connections of the process. `connectTimeoutMs` bounds one attempt. */
export interface ConnectionTools {
  hsmClusters: Pick<HsmClusters, 'connect' | 'disconnect'>;
  clock: Clock;
  events: ConnectionEvents;
  /** A number from 0 up to 1, for jitter. */
  random: () => number;
  connectTimeoutMs: number;
  backoff: Backoff;
}

/**
 * This process's connection of one key store: an asynchronous connect job, then an open cluster, until `close`. A
 * connection is used once; a reconnect takes a new one.
 */
export class Connection {
  readonly #tools: ConnectionTools;
  readonly #target: ConnectionTarget;
  readonly #cancelled = new AbortController();
  readonly #job: Promise<void>;
  /** The cluster to close; set once it is open. */
  #openClusterId: string | undefined;
  /** The cluster of the last event. Undefined once its disconnection is reported. */
  #toldClusterId: string | undefined;
  #views: ClusterViews | undefined;
  #lastErrorCode: ConnectionErrorCode | undefined;
  #ended = false;
  #nextAttemptMs: number | undefined;

  /** Starts at once. */
  constructor(tools: ConnectionTools, target: ConnectionTarget) {
    this.#tools = tools;
    this.#target = target;
    this.#job = this.#run();
  }

  /** The open cluster; undefined before, and from `close` on. */
  get views(): ClusterViews | undefined {
    return this.#views;
  }

  /** Why its last attempt failed; undefined before the first failure and once it is connected. */
  get lastErrorCode(): ConnectionErrorCode | undefined {
    return this.#lastErrorCode;
  }

  /** Whether it is neither connected nor going to be. */
  get isOver(): boolean {
    return this.#ended && this.#views === undefined;
  }

  /** How long until it tries to connect again; undefined while it tries, and if it will not. */
  get nextAttemptInMs(): number | undefined {
    if (this.#nextAttemptMs === undefined) return undefined;
    return Math.max(0, this.#nextAttemptMs - this.#tools.clock.monotonicMs());
  }

  /**
   * Closes the connection: from now on no caller gets the cluster, and a connect under way is cancelled. Resolves when
   * the cluster is closed.
   */
  async close(deadlineMs: number): Promise<void> {
    this.#cancelled.abort();
    this.#views = undefined;
    if (this.#toldClusterId !== undefined) this.#tools.events.disconnecting(this.#place(this.#toldClusterId));
    await this.#job;
    if (this.#openClusterId !== undefined) await this.#tools.hsmClusters.disconnect(this.#openClusterId, deadlineMs);
    this.#tellDisconnected();
  }

  /**
   * Called even if it never connected: a listener that heard of an attempt or a failure must hear that the connection
   * has ended.
   */
  #tellDisconnected(): void {
    if (this.#toldClusterId !== undefined) this.#tools.events.disconnected(this.#place(this.#toldClusterId));
    this.#toldClusterId = undefined;
  }

  async #run(): Promise<void> {
    try {
      for (let attempt = 0; !this.#cancelled.signal.aborted; attempt += 1) {
        const outcome = await this.#attempt();
        if (outcome === undefined || outcome.connected) return;
        const retryInMs = this.#retryDelayMs(outcome, attempt);
        this.#lastErrorCode = outcome.errorCode;
        this.#tools.events.connectFailed(this.#place(outcome.clusterId), {
          errorCode: outcome.errorCode,
          retryInMs,
          cause: outcome.cause,
        });
        if (retryInMs === null) {
          await this.#target.publishFailed(outcome.errorCode);
          return;
        }
        this.#nextAttemptMs = this.#tools.clock.monotonicMs() + retryInMs;
        await delay(this.#tools.clock, retryInMs, this.#cancelled.signal);
        this.#nextAttemptMs = undefined;
      }
    } catch (error) {
      this.#lastErrorCode = 'INTERNAL_ERROR';
      this.#tools.events.connectionJobFailed(this.#target.customKeyStoreId, error);
    } finally {
      this.#ended = true;
    }
  }

  async #attempt(): Promise<(ConnectOutcome & { clusterId: string }) | undefined> {
    const wanted = await this.#target.wanted();
    if (wanted === undefined || this.#cancelled.signal.aborted) return undefined;
    const { clusterId } = wanted;
    this.#toldClusterId = clusterId;
    this.#tools.events.connecting(this.#place(clusterId));
    const outcome = await this.#connect(wanted, clusterId);
    if (outcome.connected) await this.#accept(outcome);
    return { ...outcome, clusterId };
  }

  async #connect(wanted: { credential(): Credential }, clusterId: string): Promise<ConnectOutcome> {
    let opened: Credential;
    try {
      opened = wanted.credential();
    } catch (cause) {
      return { connected: false, errorCode: 'INTERNAL_ERROR', transient: false, cause };
    }
    try {
      const deadlineMs = this.#tools.clock.monotonicMs() + this.#tools.connectTimeoutMs;
      const { pin, credentialVersion } = opened;
      return await this.#tools.hsmClusters.connect(clusterId, pin, credentialVersion, deadlineMs, this.#target.needs);
    } finally {
      opened.pin.destroy();
    }
  }

  async #accept(outcome: ConnectOutcome & { connected: true }): Promise<void> {
    const { clusterId } = outcome.cluster;
    this.#openClusterId = clusterId;
    let published = false;
    try {
      published = !this.#cancelled.signal.aborted && (await this.#target.publishConnected());
    } finally {
      if (!published) await this.#closeUnlessCancelled(clusterId);
    }
    if (!published || this.#isCancelled()) return;
    this.#views = clusterViews(outcome.cluster, this.#target.customKeyStoreId);
    this.#lastErrorCode = undefined;
    this.#tools.events.connected(this.#place(clusterId));
  }

  /**
   * A cancelled attempt is closed by the code that cancelled it. If the store's state changed meanwhile, or could not
   * be written, it must be closed here.
   */
  async #closeUnlessCancelled(clusterId: string): Promise<void> {
    if (this.#isCancelled()) return;
    this.#openClusterId = undefined;
    await this.#tools.hsmClusters.disconnect(clusterId, this.#tools.clock.monotonicMs() + this.#tools.connectTimeoutMs);
    this.#tellDisconnected();
  }

  #isCancelled(): boolean {
    return this.#cancelled.signal.aborted;
  }

  #retryDelayMs(outcome: ConnectOutcome & { connected: false }, attempt: number): number | null {
    if (!outcome.transient || !this.#target.retriesWhileTransient) return null;
    return backoffDelayMs(this.#tools.backoff, attempt, this.#tools.random());
  }

  #place(clusterId: string): ConnectionPlace {
    return { customKeyStoreId: this.#target.customKeyStoreId, clusterId };
  }
}
