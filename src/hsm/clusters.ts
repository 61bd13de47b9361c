import type { Clock } from '../clock.js';
import type { LoginAttempts } from '../keystores/catalog.js';
import type { ClusterDescription, ConnectOutcome, EncryptionSpending, HsmClusters } from '../keystores/hsm-cluster.js';
import type { Secret } from '../secret.js';
import type { BreakerSettings } from './breaker.js';
import { type ClusterTools, PooledCluster } from './cluster.js';
import type { HsmEvents } from './events.js';
import { isNativeFailure } from './failure.js';
import { MemberOpenError, memberOpenError, openAndLogIn, type MemberCredential } from './login.js';
import { Member } from './member.js';
import type { NativeAddon, NativeMemberStatistics, NativeModuleOptions, NativePool } from './native.js';
import { automaticProfile, type ProfileSetting } from './profiles/effective-profile.js';
import { readReturnValues, type ReturnValues } from './return-values.js';
import type { TryListener } from './tries.js';

/** One token as configuration declares it. */
export interface MemberOptions {
  name: string;
  module: NativeModuleOptions;
  /** Exactly one of label and serial number names the token. */
  tokenLabel: string | null;
  tokenSerialNumber: string | null;
  /** Most lanes; null for as many as the vendor profile recommends. */
  laneCount: number | null;
  /** Left out: the module is recognised. */
  profile?: ProfileSetting;
}

/** A cluster as configuration declares it. */
export interface ClusterOptions extends Omit<ClusterDescription, 'memberNames'> {
  members: readonly MemberOptions[];
  /** Most operations that may wait for its lanes. */
  queueLimit: number;
  /** Longest time for one try of one operation, whatever the request's deadline. */
  operationTimeoutMs: number;
  breaker: BreakerSettings;
}

export interface HsmClustersTools {
  addon: NativeAddon;
  loginAttempts: LoginAttempts;
  encryptionBudget: EncryptionSpending;
  /** Told of every try of every operation, where somebody counts them. */
  onTried?: TryListener | undefined;
  clock: Clock;
  events: HsmEvents;
  /** Folder (0700, ours) for the lock files that serialise initialise-and-login across processes. */
  lockDirectory: string;
}

/** How a cluster is at this moment, for metrics. */
export interface ClusterStatus {
  clusterId: string;
  /** All members of the configuration. */
  members: {
    name: string;
    /** Undefined where it is not open. */
    breaker: Member['breakerState'] | undefined;
    statistics: NativeMemberStatistics | undefined;
  }[];
}

interface OpenCluster {
  pool: NativePool;
  cluster: PooledCluster;
}

interface OpenedMembers {
  members: Member[];
  absent: { name: string; error: MemberOpenError }[];
}

/** The clusters of the configuration, over the addon. */
export class ConfiguredHsmClusters implements HsmClusters {
  readonly #tools: HsmClustersTools;
  readonly #returnValues: ReturnValues;
  readonly #options: ReadonlyMap<string, ClusterOptions>;
  readonly #open = new Map<string, OpenCluster>();
  /** Connects and disconnects of one cluster, in the order in which they came. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(tools: HsmClustersTools, clusters: readonly ClusterOptions[]) {
    this.#tools = tools;
    this.#returnValues = readReturnValues(tools.addon.returnValues());
    this.#options = new Map(clusters.map((cluster) => [cluster.clusterId, cluster]));
  }

  describe(clusterId: string): ClusterDescription | undefined {
    const options = this.#options.get(clusterId);
    return options === undefined ? undefined : describeOptions(options);
  }

  list(): ClusterDescription[] {
    return [...this.#options.values()].map(describeOptions);
  }

  /** Of every cluster of the configuration, connected or not. */
  status(): ClusterStatus[] {
    return [...this.#options.values()].map(({ clusterId, members }) => {
      const open = this.#open.get(clusterId);
      const statistics = open?.pool.statistics() ?? [];
      return {
        clusterId,
        members: members.map(({ name }) => {
          const member = open?.cluster.memberNamed(name);
          const own = statistics.find((candidate) => candidate.member === member?.index);
          return { name, breaker: member?.breakerState, statistics: own };
        }),
      };
    });
  }

  connect(clusterId: string, pin: Secret, credentialVersion: string, deadlineMs: number): Promise<ConnectOutcome> {
    return this.#inTurn(clusterId, () => this.#connect(clusterId, { pin, credentialVersion }, deadlineMs));
  }

  disconnect(clusterId: string, deadlineMs: number): Promise<void> {
    return this.#inTurn(clusterId, async () => {
      const open = this.#open.get(clusterId);
      this.#open.delete(clusterId);
      open?.cluster.stop();
      if (open !== undefined) await this.#closePool(clusterId, open.pool, deadlineMs);
    });
  }

  #inTurn<T>(clusterId: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(clusterId) ?? Promise.resolve()).then(work, work);
    this.#turns.set(clusterId, turn);
    return turn;
  }

  async #connect(clusterId: string, credential: MemberCredential, deadlineMs: number): Promise<ConnectOutcome> {
    const options = this.#options.get(clusterId);
    if (options === undefined) return failed('CLUSTER_NOT_FOUND', false, `Cluster ${clusterId} is not configured.`);
    if (this.#open.has(clusterId)) return failed('INTERNAL_ERROR', false, `Cluster ${clusterId} is connected already.`);
    const pool = this.#tools.addon.createPool(options.queueLimit);
    try {
      return await this.#openCluster(options, pool, credential, deadlineMs);
    } catch (error) {
      await this.#closePool(clusterId, pool, deadlineMs);
      if (!(error instanceof MemberOpenError)) return failed('INTERNAL_ERROR', true, error);
      return failed(error.errorCode, error.transient, error);
    }
  }

  async #openCluster(
    options: ClusterOptions,
    pool: NativePool,
    credential: MemberCredential,
    deadlineMs: number,
  ): Promise<ConnectOutcome> {
    const { operationTimeoutMs, breaker, clusterId } = options;
    const tools: ClusterTools = { ...this.#tools, pool, returnValues: this.#returnValues, operationTimeoutMs, breaker };
    const { members, absent } = await this.#openMembers(options, tools, credential, deadlineMs);
    const cluster = new PooledCluster(
      clusterId,
      tools,
      members,
      absent.map(({ name }) => name),
    );
    this.#open.set(clusterId, { pool, cluster });
    return { connected: true, cluster };
  }

  /** One after the other, so that a wrong PIN is tried on one member only. @throws MemberOpenError when none opens. */
  async #openMembers(
    options: ClusterOptions,
    tools: ClusterTools,
    credential: MemberCredential,
    deadlineMs: number,
  ): Promise<OpenedMembers> {
    const members: Member[] = [];
    const absent: OpenedMembers['absent'] = [];
    for (const member of options.members) {
      try {
        members.push(await this.#openMember(options, member, tools, credential, deadlineMs));
      } catch (error) {
        this.#tools.events.memberOpenFailed({ clusterId: options.clusterId, memberName: member.name }, error);
        if (error instanceof MemberOpenError && error.transient) {
          absent.push({ name: member.name, error });
          continue;
        }
        for (const opened of members) opened.stop();
        throw error;
      }
    }
    const first = absent[0];
    if (members.length === 0 && first !== undefined) throw first.error;
    return { members, absent };
  }

  async #openMember(
    { clusterId }: ClusterOptions,
    { name, laneCount, profile = automaticProfile, ...options }: MemberOptions,
    tools: ClusterTools,
    credential: MemberCredential,
    deadlineMs: number,
  ): Promise<Member> {
    const { pool } = tools;
    // Until the token is known; then `setProfile` says how many.
    const native = { ...options, laneCount: 1, maxQuarantinedLanes: 1, maxStuckOpenings: 2 };
    const kind = { profile, laneCount };
    const opened = await openAndLogIn(this.#tools, pool, native, kind, credential, deadlineMs);
    try {
      await pool.inventory(opened.member, deadlineMs);
    } catch (error) {
      throw isNativeFailure(error) ? memberOpenError(error) : error;
    }
    const place = { clusterId, memberName: name };
    const member = new Member(tools, place, opened);
    pool.resume(opened.member);
    this.#tools.events.memberOpened(place, opened.token, opened.profile);
    return member;
  }

  async #closePool(clusterId: string, pool: NativePool, deadlineMs: number): Promise<void> {
    const hungLanes = await pool.close(deadlineMs);
    if (hungLanes > 0) this.#tools.events.lanesHung(clusterId, hungLanes);
  }
}

function failed(errorCode: MemberOpenError['errorCode'], transient: boolean, cause: unknown): ConnectOutcome {
  return { connected: false, errorCode, transient, cause };
}

function describeOptions(options: ClusterOptions): ClusterDescription {
  return {
    clusterId: options.clusterId,
    name: options.name,
    replication: options.replication,
    minimumMembers: options.minimumMembers,
    memberNames: options.members.map((member) => member.name),
    trustAnchorDer: options.trustAnchorDer,
    maximumPinLength: options.maximumPinLength,
  };
}
