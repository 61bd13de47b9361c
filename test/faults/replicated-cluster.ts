/** A cluster without a server: several members that hold the same keys, for tests that need its own interface. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/clock-system.js';
import { Presence } from '../../src/coordination/presence.js';
import { type ClusterOptions, ConfiguredHsmClusters, type MemberOptions } from '../../src/hsm/clusters.js';
import { loadAddon, type NativeModuleOptions } from '../../src/hsm/native.js';
import type { ConnectOutcome, HsmCluster, MaterialReference } from '../../src/clusters/hsm-cluster.js';
import { Secret } from '../../src/secret.js';
import type { SqliteCatalog } from '../../src/storage/sqlite.js';
import { openTestCatalog } from '../catalog-file.js';
import {
  clusterId,
  clusterOptions,
  makeMaterial,
  pin,
  RecordedSpending,
  recordingEvents,
  soon,
  tokenLabel,
} from '../hsm/fixture.js';
import { FaultHsm, putFaultsBefore } from '../native/fault-hsm.js';
import { copySoftHsm, type SoftHsm } from '../softhsm.js';
import { newMember, runCeremony } from '../wrapped-cluster.js';
import { memberName, type ReplicaMember, shortDelays } from './replicated-server.js';

export interface ReplicatedClusterOptions {
  memberCount: number;
  materialCount: number;
  lanes: number;
  operationTimeoutMs: number;
  cluster?: Partial<ClusterOptions>;
}

/** The information that another process needs to connect to the same members. */
export interface ReplicatedClusterState {
  options: ReplicatedClusterOptions;
  folder: string;
  members: { name: string; hsm: SoftHsm; folder: string; module: NativeModuleOptions }[];
}

/** Has members to which Holdfast has copied the same keys, and the means to connect to them; connects on demand. */
export class ReplicatedCluster {
  readonly events: string[] = [];
  /** The spending of every cluster that it opens. */
  readonly spending = new RecordedSpending();
  readonly #opened: { clusters: ConfiguredHsmClusters; catalog: SqliteCatalog }[] = [];

  private constructor(
    readonly options: ReplicatedClusterOptions,
    readonly members: readonly ReplicaMember[],
    /** The keys on every member. */
    readonly materials: readonly MaterialReference[],
    /** The folder with the catalog and the locks, which restarts share. */
    readonly folder: string,
  ) {}

  static async make(options: ReplicatedClusterOptions): Promise<ReplicatedCluster> {
    const originals = Array.from({ length: options.memberCount }, (_, index) => newMember(memberName(index)));
    await runCeremony(originals, 1);
    const maker = new ReplicatedCluster({ ...options, operationTimeoutMs: 10_000 }, originals, [], makeFolder());
    const cluster = await maker.connected();
    const materials: MaterialReference[] = [];
    while (materials.length < options.materialCount) materials.push(await makeMaterial(cluster));
    await maker.close();
    rmSync(maker.folder, { recursive: true });
    // Nothing has been called on a copy, and no login is remembered.
    const members = originals.map(({ name, hsm: original }) => {
      const hsm = copySoftHsm(original);
      original.dispose();
      return { name, hsm, fault: putFaultsBefore(hsm) };
    });
    return new ReplicatedCluster(options, members, materials, makeFolder());
  }

  /** Like a separate process: a new handle on the catalog, new pools. */
  async clusters(): Promise<ConfiguredHsmClusters> {
    const catalog = await openTestCatalog({ path: join(this.folder, 'catalog.db'), clock: systemClock });
    const tools = {
      addon: loadAddon(),
      loginAttempts: catalog,
      presence: new Presence(catalog, 'a process'),
      encryptionBudget: this.spending,
      clock: systemClock,
      events: recordingEvents(this.events),
      lockDirectory: join(this.folder, 'locks'),
    };
    const clusters = new ConfiguredHsmClusters(tools, [this.#clusterOptions()]);
    this.#opened.push({ clusters, catalog });
    return clusters;
  }

  async connect(tried = pin, clusters?: ConfiguredHsmClusters): Promise<ConnectOutcome> {
    const opened = clusters ?? (await this.clusters());
    return opened.connect(clusterId, Secret.fromUtf8(tried), 'store:1', soon(), 'one');
  }

  async connected(): Promise<HsmCluster> {
    const outcome = await this.connect();
    if (!outcome.connected) throw new Error(`not connected: ${outcome.errorCode}`, { cause: outcome.cause });
    return outcome.cluster;
  }

  /** A cluster of the same keys with one member; the folder (catalog, locks) is its own. */
  only(index: number): ReplicatedCluster {
    return new ReplicatedCluster(this.options, [this.member(index)], this.materials, makeFolder());
  }

  /** The same cluster again, perhaps in another order; catalog and locks are shared, as after a restart. */
  restarted(members: readonly ReplicaMember[] = this.members): ReplicatedCluster {
    return new ReplicatedCluster(this.options, members, this.materials, this.folder);
  }

  /** The information for a process of its own, see `attach`. */
  get state(): ReplicatedClusterState {
    const { options, folder } = this;
    const members = this.members.map(({ name, hsm, fault }) => {
      return { name, hsm, folder: fault.folder, module: fault.module };
    });
    return { options, folder, members };
  }

  static attach({ options, folder, members }: ReplicatedClusterState): ReplicatedCluster {
    const attached = members.map(({ name, hsm, ...fault }) => {
      return { name, hsm, fault: new FaultHsm(fault.folder, fault.module) };
    });
    return new ReplicatedCluster(options, attached, [], folder);
  }

  /** Sums what the fault modules of all members counted. */
  calls(functionName: string): number {
    return this.members.reduce((sum, { fault }) => sum + fault.calls(functionName), 0);
  }

  material(index = 0): MaterialReference {
    const material = this.materials[index];
    if (material === undefined) throw new Error(`There is no material ${index}.`);
    return material;
  }

  member(index: number): ReplicaMember {
    const member = this.members[index];
    if (member === undefined) throw new Error(`There is no member ${index}.`);
    return member;
  }

  /** Disconnects everything that was connected. */
  async close(): Promise<void> {
    for (const { clusters, catalog } of this.#opened.splice(0)) {
      await clusters.disconnect(clusterId, soon());
      await catalog.close();
    }
  }

  async dispose(): Promise<void> {
    for (const { fault } of this.members) fault.heal();
    await this.close();
    for (const { hsm } of this.members) hsm.dispose();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #clusterOptions(): ClusterOptions {
    const { lanes, operationTimeoutMs, cluster } = this.options;
    const members = this.members.map(
      ({ name, fault: { module } }): MemberOptions => ({
        ...{ name, module, tokenLabel, tokenSerialNumber: null, laneCount: lanes },
      }),
    );
    const replication = { replication: 'wrapped', minimumMembers: Math.min(2, members.length) } as const;
    return { ...clusterOptions, ...replication, operationTimeoutMs, ...shortDelays, members, ...cluster };
  }
}

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-faults-'));
  mkdirSync(join(folder, 'locks'), { mode: 0o700 });
  return folder;
}
