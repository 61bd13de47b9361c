import type { Clock } from '../clock.js';
import type { ExpectedMaterials } from '../clusters/expected-materials.js';
import type { MaintenanceCatalog } from '../clusters/maintenance.js';
import type { Presence } from '../coordination/presence.js';
import type { LoginAttempts } from '../keystores/catalog.js';
import type { ClusterDescription, ConnectOutcome, EncryptionSpending, HsmClusters } from '../clusters/hsm-cluster.js';
import type { Secret } from '../secret.js';
import { loadAnswers } from './answers.js';
import type { BreakerSettings } from './breaker.js';
import { type ClusterTools, PooledCluster } from './cluster.js';
import type { HsmEvents, MemberPlace } from './events.js';
import { type HedgeListener, Hedging } from './hedging.js';
import { AbandonedPools } from './abandoned-pools.js';
import type { LastingMember, MemberCredential } from './login.js';
import type { LoginTools } from './login-attempt.js';
import { MemberOpenError } from './member-open-error.js';
import { Member } from './member.js';
import { MemberConnection } from './member-connection.js';
import type { NativeAddon, NativeModuleOptions, NativePool } from './native.js';
import type { NativeMemberStatistics } from './native-statistics.js';
import { automaticProfile, type ProfileSetting } from './profiles/effective-profile.js';
import { requireTrust } from './member-trust.js';
import { credentialFor, type PresentCredentials } from './present-credential.js';
import { openMembers } from './opening-members.js';
import { pinRulesOf } from './pin-rules.js';
import type { RecoverySettings } from './recovery.js';
import { readReturnValues, type ReturnValues } from './return-values.js';
import { TokenOwners } from './token-owners.js';
import type { AttemptListener } from './attempts.js';
import type { WitnessTools } from './witnesses.js';

/** One token as the configuration declares it. */
export interface MemberOptions {
  name: string;
  module: NativeModuleOptions;
  /** Exactly one of label and serial number names the token. */
  tokenLabel: string | null;
  tokenSerialNumber: string | null;
  /** Maximum number of lanes; null for as many as the vendor profile recommends. */
  laneCount: number | null;
  /** Left out: the module is recognised. */
  profile?: ProfileSetting;
}

/** A cluster as the configuration declares it. */
export interface ClusterOptions extends Omit<ClusterDescription, 'memberNames' | 'pinRules'> {
  members: readonly MemberOptions[];
  /** Maximum number of operations that wait for its lanes. */
  queueLimit: number;
  /** Maximum time for one attempt of one operation, whatever the request's deadline. */
  operationTimeoutMs: number;
  breaker: BreakerSettings;
  /** Try a second member if the first is late; left out: no. */
  hedging?: boolean;
  recovery: RecoverySettings;
}

/** Shared by all clusters of the process. */
export interface HsmClustersTools extends PresentCredentials {
  addon: NativeAddon;
  loginAttempts: LoginAttempts;
  presence: Presence;
  encryptionBudget: EncryptionSpending;
  /** The catalog's view of the members of wrapped clusters; left out: they are not compared with it. */
  expectedMaterials?: ExpectedMaterials | undefined;
  /** Judges the witnesses of each member that logs in; left out: they are not read. */
  judgeWitnesses?: WitnessTools['judgeWitnesses'];
  /** Called for every attempt of every operation, if there is a listener. */
  onTried?: AttemptListener | undefined;
  /** Called for every hedge of a cluster, if there is a listener. */
  hedgeListener?: ((clusterId: string) => HedgeListener) | undefined;
  /** The members that operators have drained; left out: none. They are not opened. */
  maintenance?: Pick<MaintenanceCatalog, 'listDrainedMembers'> | undefined;
  clock: Clock;
  events: HsmEvents;
  /** Folder (0700, ours) for the lock files that serialise initialise-and-login across processes. */
  lockDirectory: string;
  /** A number from 0 up to 1, for jitter; left out: `Math.random`. */
  random?: () => number;
}

/** The present state of a cluster, for metrics. */
export interface ClusterStatus {
  clusterId: string;
  /** How many members must hold a new key. */
  minimumMembers: number;
  /** The generation of wrapping keys in use; undefined unless it is wrapped and connected. */
  generation: number | undefined;
  /** All members of the configuration. */
  members: {
    name: string;
    /** The state of its breaker; undefined if the cluster is not connected. */
    breaker: Member['breakerState'] | undefined;
    /** Whether it is logged in. */
    isOpen: boolean;
    statistics: NativeMemberStatistics | undefined;
    /** Whether only a new process can open it. */
    isStuck: boolean;
    /** Whether it is out of service for maintenance. */
    isDrained: boolean;
    /** Its highest complete generation of wrapping keys. */
    generation: number | undefined;
    /** Materials of the catalog that it is known to lack. */
    missingMaterials: number;
    /** Its token and profile when it was last opened; undefined if it never was since the connect. */
    seen: Member['seen'];
  }[];
}

interface OpenCluster {
  pool: NativePool;
  cluster: PooledCluster;
  /** Our copy, kept for as long as the cluster is connected: returning members must log in again. */
  pin: Secret;
  /** Makes a member in its pool, for one that is taken up later. */
  newMember: (options: MemberOptions) => Member;
}

/** The clusters of the configuration, over the addon. */
export class ConfiguredHsmClusters implements HsmClusters {
  readonly #tools: HsmClustersTools;
  readonly #returnValues: ReturnValues;
  readonly #options: Map<string, ClusterOptions>;
  readonly #open = new Map<string, OpenCluster>();
  /** Connects and disconnects of one cluster, in order of arrival. */
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #abandonedPools: AbandonedPools;
  readonly #tokenOwners = new TokenOwners();

  constructor(tools: HsmClustersTools, clusters: readonly ClusterOptions[]) {
    this.#tools = tools;
    this.#abandonedPools = new AbandonedPools(tools);
    this.#returnValues = readReturnValues(tools.addon.returnValues());
    this.#options = new Map(clusters.map((cluster) => [cluster.clusterId, cluster]));
  }

  describe(clusterId: string): ClusterDescription | undefined {
    const options = this.#options.get(clusterId);
    return options === undefined ? undefined : this.#describe(options);
  }

  list(): ClusterDescription[] {
    return [...this.#options.values()].map((options) => this.#describe(options));
  }

  #describe(options: ClusterOptions): ClusterDescription {
    const cluster = this.#open.get(options.clusterId)?.cluster;
    const seen = options.members.flatMap(({ name }) => cluster?.memberNamed(name)?.seen ?? []);
    return { ...describeOptions(options), pinRules: pinRulesOf(seen) };
  }

  /** The members of a cluster; none if there is no such cluster. */
  membersOf(clusterId: string): readonly MemberOptions[] {
    return this.#options.get(clusterId)?.members ?? [];
  }

  /** The state of every cluster of the configuration, connected or not. */
  status(): ClusterStatus[] {
    return [...this.#options.values()].map((options) => {
      const { clusterId, minimumMembers, members } = options;
      const open = this.#open.get(clusterId);
      const poolIsStuck = open === undefined && this.#abandonedPools.isStuck(clusterId);
      const statistics = open?.pool.statistics() ?? [];
      return {
        clusterId,
        minimumMembers,
        generation: open?.cluster.generation,
        members: members.map(({ name }) => ({
          name,
          ...memberStatus(open?.cluster, open?.cluster.memberNamed(name), statistics, poolIsStuck),
        })),
      };
    });
  }

  connect(
    clusterId: string,
    pin: Secret,
    credentialVersion: string,
    deadlineMs: number,
    needs: 'minimum' | 'one' = 'one',
  ): Promise<ConnectOutcome> {
    return this.#inTurn(clusterId, () => this.#connect(clusterId, { pin, credentialVersion }, deadlineMs, needs));
  }

  disconnect(clusterId: string, deadlineMs: number): Promise<void> {
    return this.#inTurn(clusterId, async () => {
      const open = this.#open.get(clusterId);
      this.#open.delete(clusterId);
      if (open !== undefined) await this.#close(open, deadlineMs);
    });
  }

  /**
   * Takes a member out of service until `returnMember`. Resolves once its work has ended and its sessions are closed;
   * at once if its cluster is not connected. @throws NativeFailure if a call hangs in it; it is out of service anyway
   */
  async drainMember({ clusterId, memberName }: MemberPlace, deadlineMs: number): Promise<void> {
    await this.#open.get(clusterId)?.cluster.memberNamed(memberName)?.drain(deadlineMs);
  }

  /** Begins to open a drained member again. */
  returnMember({ clusterId, memberName }: MemberPlace): void {
    this.#open.get(clusterId)?.cluster.memberNamed(memberName)?.returnToService();
  }

  /**
   * Takes up a member that was added to the configuration. If its cluster is connected, it begins to open, and is
   * retried until it opens; one that an operator has drained stays out. Harmless for a member that is known.
   */
  addMember(clusterId: string, member: MemberOptions): void {
    const options = this.#options.get(clusterId);
    if (options === undefined || options.members.some(({ name }) => name === member.name)) return;
    this.#options.set(clusterId, { ...options, members: [...options.members, member] });
    const place = { clusterId, memberName: member.name };
    const taken = this.#inTurn(clusterId, () => this.#takeUp(place, member));
    void taken.catch((error: unknown) => this.#tools.events.memberOpenFailed(place, error));
  }

  async #takeUp(place: MemberPlace, options: MemberOptions): Promise<void> {
    const open = this.#open.get(place.clusterId);
    // A connect that came in between has opened it.
    if (open === undefined || open.cluster.memberNamed(place.memberName) !== undefined) return;
    const member = open.newMember(options);
    open.cluster.addMember(member);
    // Whoever follows the catalog's list drains it later if the list cannot be read now.
    const drained = await this.#tools.maintenance?.listDrainedMembers().catch(() => undefined);
    if (drained?.some((each) => isSamePlace(each, place)) === true) await member.drain(this.#tools.clock.monotonicMs());
    else member.beginOpening();
  }

  #inTurn<T>(clusterId: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(clusterId) ?? Promise.resolve()).then(work, work);
    this.#turns.set(clusterId, turn);
    return turn;
  }

  async #connect(
    clusterId: string,
    credential: MemberCredential,
    deadlineMs: number,
    needs: 'minimum' | 'one',
  ): Promise<ConnectOutcome> {
    const options = this.#options.get(clusterId);
    if (options === undefined) return failed('CLUSTER_NOT_FOUND', false, `Cluster ${clusterId} is not configured.`);
    if (this.#open.has(clusterId)) return failed('INTERNAL_ERROR', false, `Cluster ${clusterId} is connected already.`);
    const { maxStuckOpenings } = options.recovery;
    // Each further connect would leave more threads behind, and perhaps another copy of the library.
    if (this.#abandonedPools.count(clusterId) > maxStuckOpenings) {
      return failed(
        'NETWORK_ERRORS',
        true,
        'Calls of too many earlier connections of the cluster still hang in its modules.',
      );
    }
    const open = this.#prepare(options, credential);
    try {
      const atLeast = needs === 'minimum' ? options.minimumMembers : 1;
      await this.#openInService(open.cluster, deadlineMs, atLeast);
      await open.cluster.requireConfiguredTrust();
    } catch (error) {
      await this.#close(open, deadlineMs);
      this.#abandonedPools.connectFailed(options, error);
      if (!(error instanceof MemberOpenError)) return failed('INTERNAL_ERROR', true, error);
      return failed(error.errorCode, error.transient, error);
    }
    this.#open.set(clusterId, open);
    this.#abandonedPools.connected(clusterId);
    return { connected: true, cluster: open.cluster };
  }

  /** Members that operators have drained stay out. */
  async #openInService({ clusterId, members }: PooledCluster, deadlineMs: number, atLeast: number): Promise<void> {
    const recorded = (await this.#tools.maintenance?.listDrainedMembers()) ?? [];
    const drained = recorded.filter((each) => each.clusterId === clusterId).map(({ memberName }) => memberName);
    const [out, inService] = [true, false].map((isOut) =>
      members.filter(({ place }) => drained.includes(place.memberName) === isOut),
    );
    await Promise.all((out ?? []).map((member) => member.drain(deadlineMs)));
    await openMembers(inService ?? [], deadlineMs, this.#tools.events, atLeast);
  }

  /** A pool with all members of the configuration, none of which is open yet. */
  #prepare(options: ClusterOptions, { pin: given, credentialVersion }: MemberCredential): OpenCluster {
    const { operationTimeoutMs, breaker, recovery, clusterId } = options;
    const pin = given.share();
    const pool = this.#tools.addon.createPool(options.queueLimit);
    const tools: ClusterTools & LoginTools = {
      ...this.#tools,
      random: this.#tools.random ?? Math.random,
      pool,
      answers: loadAnswers(),
      returnValues: this.#returnValues,
      operationTimeoutMs,
      breaker,
      recovery,
      formerPoolHangs: () => this.#abandonedPools.count(clusterId) > 0,
      hedging:
        options.hedging === true ? new Hedging(this.#tools.clock, this.#tools.hedgeListener?.(clusterId)) : undefined,
    };
    const newMember = (member: MemberOptions): Member =>
      this.#newMember({ options, tools, credential: { pin, credentialVersion } }, member, (index, deadlineMs) =>
        cluster.memberLoggedIn({ clusterId, memberName: member.name }, index, deadlineMs),
      );
    const members = options.members.map(newMember);
    const cluster: PooledCluster = new PooledCluster(options, tools, members);
    pool.setOperationTimeout(operationTimeoutMs, (failure) => {
      cluster.recordHung(failure);
    });
    return { pool, pin, cluster, newMember };
  }

  /** A member in the pool of a cluster, which is not open yet. */
  #newMember(
    {
      options,
      tools,
      credential,
    }: { options: ClusterOptions; tools: ClusterTools & LoginTools; credential: MemberCredential },
    { name, laneCount, profile = automaticProfile, ...token }: MemberOptions,
    memberLoggedIn: (index: number, deadlineMs: number) => Promise<void>,
  ): Member {
    const { maxStuckOpenings, openTimeoutMs } = tools.recovery;
    // Until the token is known; then `setProfile` sets the count.
    const index = tools.pool.addMember({ ...token, laneCount: 1, maxQuarantinedLanes: 1, maxStuckOpenings });
    const place = { clusterId: options.clusterId, memberName: name };
    const lasting: LastingMember = {
      index,
      module: token.module,
      kind: { profile, laneCount },
      claim: (found) => {
        requireTrust(place, options, profile, found);
        this.#tokenOwners.claim(place, token.module, found);
      },
      takeInventory: (deadlineMs) => memberLoggedIn(index, deadlineMs),
    };
    const source = (): Promise<MemberCredential> => credentialFor(this.#tools, place, credential);
    const connection = new MemberConnection(tools, tools.pool, lasting, source, openTimeoutMs);
    return new Member(tools, place, connection);
  }

  async #close({ cluster, pool, pin }: OpenCluster, deadlineMs: number): Promise<void> {
    cluster.stop();
    await this.#closePool(cluster.clusterId, pool, deadlineMs);
    this.#tokenOwners.release(cluster.clusterId);
    // A member that is still opening in the closed pool is refused there and never gets the PIN.
    pin.destroy();
  }

  async #closePool(clusterId: string, pool: NativePool, deadlineMs: number): Promise<void> {
    const hungLanes = await pool.close(deadlineMs);
    if (hungLanes === 0) return;
    this.#abandonedPools.add(clusterId, pool);
    this.#tools.events.lanesHung(clusterId, hungLanes);
  }
}

function memberStatus(
  cluster: PooledCluster | undefined,
  member: Member | undefined,
  statistics: readonly NativeMemberStatistics[],
  poolIsStuck: boolean,
): Omit<ClusterStatus['members'][number], 'name'> {
  const { breakerState: breaker, isOpen = false, isStuck = false, isDrained = false, seen } = member ?? {};
  return {
    ...{ breaker, isOpen, isStuck: poolIsStuck || isStuck, isDrained, seen },
    statistics: statistics.find((candidate) => candidate.member === member?.index),
    generation: member && cluster?.generationOf(member),
    missingMaterials: (member && cluster?.missingOn(member)) ?? 0,
  };
}

function isSamePlace(one: MemberPlace, other: MemberPlace): boolean {
  return one.clusterId === other.clusterId && one.memberName === other.memberName;
}

function failed(errorCode: MemberOpenError['errorCode'], transient: boolean, cause: unknown): ConnectOutcome {
  return { connected: false, errorCode, transient, cause };
}

function describeOptions(options: ClusterOptions): Omit<ClusterDescription, 'pinRules'> {
  return {
    clusterId: options.clusterId,
    name: options.name,
    replication: options.replication,
    trust: options.trust,
    minimumMembers: options.minimumMembers,
    memberNames: options.members.map((member) => member.name),
    trustAnchorDer: options.trustAnchorDer,
    maximumPinLength: options.maximumPinLength,
  };
}
