/** Clusters on real SoftHSM tokens, with the fault-injecting module in front and login attempts in a real catalog. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/clock-system.js';
import { Presence } from '../../src/coordination/presence.js';
import type { HoldfastError } from '../../src/errors.js';
import { type ClusterOptions, ConfiguredHsmClusters, type MemberOptions } from '../../src/hsm/clusters.js';
import type { HsmEvents } from '../../src/hsm/events.js';
import { loadAddon, type NativeAddon, type NativePool } from '../../src/hsm/native.js';
import { nativeProfile } from '../../src/hsm/profiles/effective-profile.js';
import { detectProfile } from '../../src/hsm/profiles/profiles.js';
import type {
  ConnectOutcome,
  EncryptionSpending,
  HsmCluster,
  MaterialReference,
} from '../../src/clusters/hsm-cluster.js';
import type { HsmCall } from '../../src/calls/hsm-call.js';
import { Secret } from '../../src/secret.js';
import type { SqliteCatalog } from '../../src/storage/sqlite.js';
import { openTestCatalog } from '../catalog-file.js';
import { type FaultHsm, putFaultsBefore } from '../native/fault-hsm.js';
import { createSoftHsm, type SoftHsm } from '../softhsm.js';
import { defaultBreakerSettings, defaultRecoverySettings } from './default-settings.js';

export const clusterId = 'cluster-1234567abcd';
export const pin = 'a user PIN';
/** The label of every token that the fixture makes. */
export const tokenLabel = 'alpha';

export interface HsmFixture {
  hsm: SoftHsm;
  fault: FaultHsm;
  catalog: SqliteCatalog;
  spending: RecordedSpending;
  /** Events by name, with their distinguishing fields. */
  events: string[];
  /** Replaces the cluster's options; connect after it. */
  configure(change: Partial<ClusterOptions>): ConfiguredHsmClusters;
  /** The cluster in a process that shares catalog and token with this one, but no locks. */
  onAnotherHost(name: string): ConfiguredHsmClusters;
  clusters(): ConfiguredHsmClusters;
  member(change?: Partial<MemberOptions>): MemberOptions;
  connect(attempt?: { pin?: string; credentialVersion?: string }): Promise<ConnectOutcome>;
  connected(): Promise<HsmCluster>;
  /** A separate session on the same token (by default SoftHSM's), like another process with the PIN. */
  intruder(on?: MemberOptions): Promise<{ pool: NativePool; member: number }>;
  dispose(): Promise<void>;
}

export const soon = (): number => systemClock.monotonicMs() + 20_000;
export const inTime = (): HsmCall => ({ deadlineMs: soon() });

export async function createHsmFixture(addon: NativeAddon = loadAddon()): Promise<HsmFixture> {
  const hsm = createSoftHsm({ tokens: [{ label: tokenLabel, userPin: pin }] });
  const fault = putFaultsBefore(hsm);
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-hsm-'));
  const lockDirectory = join(folder, 'locks');
  mkdirSync(lockDirectory, { mode: 0o700 });
  const catalog = await openTestCatalog({ path: join(folder, 'catalog.db'), clock: systemClock });
  const events: string[] = [];
  const spending = new RecordedSpending();
  const tools = {
    addon,
    loginAttempts: catalog,
    presence: new Presence(catalog, 'a process'),
    encryptionBudget: spending,
    clock: systemClock,
    events: recordingEvents(events),
    lockDirectory,
  };
  const member = (change: Partial<MemberOptions> = {}): MemberOptions => ({
    name: 'one',
    module: fault.module,
    tokenLabel,
    tokenSerialNumber: null,
    laneCount: 2,
    ...change,
  });
  const made: ConfiguredHsmClusters[] = [];
  const pools: NativePool[] = [];
  const configure = (change: Partial<ClusterOptions>): ConfiguredHsmClusters => {
    const clusters = new ConfiguredHsmClusters(tools, [{ ...clusterOptions, members: [member()], ...change }]);
    made.push(clusters);
    return clusters;
  };
  const onAnotherHost = (name: string): ConfiguredHsmClusters => {
    const locks = join(folder, name);
    mkdirSync(locks, { mode: 0o700 });
    const presence = new Presence(catalog, name);
    const host = { ...tools, presence, lockDirectory: locks };
    const clusters = new ConfiguredHsmClusters(host, [{ ...clusterOptions, members: [member()] }]);
    made.push(clusters);
    return clusters;
  };
  configure({});
  const clusters = (): ConfiguredHsmClusters => made.at(-1) ?? configure({});
  const connect: HsmFixture['connect'] = ({ pin: tried = pin, credentialVersion = 'store:1' } = {}) =>
    clusters().connect(clusterId, Secret.fromUtf8(tried), credentialVersion, soon());
  const connected = async (): Promise<HsmCluster> => {
    const outcome = await connect();
    if (!outcome.connected) throw new Error(`not connected: ${outcome.errorCode}`, { cause: outcome.cause });
    return outcome.cluster;
  };
  const softHsm = { ...fault.module, libraryPath: hsm.libraryPath };
  const intruder: HsmFixture['intruder'] = async (on = member({ module: softHsm })) => {
    const pool = addon.createPool(100);
    pools.push(pool);
    const token = {
      module: on.module,
      tokenLabel: on.tokenLabel,
      tokenSerialNumber: on.tokenSerialNumber,
      laneCount: 1,
      maxQuarantinedLanes: 1,
      maxStuckOpenings: 2,
    };
    const opened = await pool.openMember(token, soon());
    // Makes keys as a cluster does.
    pool.setProfile(
      opened.member,
      nativeProfile(detectProfile(opened.token), opened.token.mechanisms),
      token.laneCount,
    );
    await pool.loginMember(opened.member, Buffer.from(pin), soon(), null);
    pool.resume(opened.member);
    return { pool, member: opened.member };
  };
  const dispose = async (): Promise<void> => {
    fault.heal();
    for (const each of made) await each.disconnect(clusterId, soon());
    for (const pool of pools) await pool.close(soon());
    await catalog.close();
    hsm.dispose();
    rmSync(folder, { recursive: true });
  };
  return {
    hsm,
    fault,
    catalog,
    spending,
    events,
    configure,
    onAnotherHost,
    clusters,
    member,
    connect,
    connected,
    intruder,
    dispose,
  };
}

/** Counts spent encryptions, for materials that no catalog has; refuses while a test has set an error. */
export class RecordedSpending implements EncryptionSpending {
  readonly spent: string[] = [];
  refusal: Error | undefined;

  trySpend(materialId: string): boolean {
    if (this.refusal !== undefined) return false;
    this.spent.push(materialId);
    return true;
  }

  spend(): Promise<void> {
    return Promise.reject(this.refusal ?? new Error('There was room.'));
  }
}

/** A test's cluster without its members. */
export const clusterOptions: Omit<ClusterOptions, 'members'> = {
  clusterId,
  name: 'a cluster',
  replication: 'none',
  minimumMembers: 1,
  trustAnchorDer: new Uint8Array(0),
  maximumPinLength: 32,
  queueLimit: 1_000,
  operationTimeoutMs: 10_000,
  breaker: { ...defaultBreakerSettings, probeDelayMs: 20 },
  recovery: { ...defaultRecoverySettings, openTimeoutMs: 5_000, maximumProbeDelayMs: 100 },
};

/** Makes a key on the cluster. */
export async function makeMaterial(cluster: HsmCluster): Promise<MaterialReference> {
  const materialId = randomBytes(32).toString('hex');
  const label = `arn:aws:kms:eu-central-1:111122223333:key/${materialId.slice(0, 8)}`;
  const { canary, extractable } = await cluster.perform('generateKeyMaterial', { materialId, label }, inTime());
  return { materialId, label, extractable, canary };
}

export async function codeOf(operation: Promise<unknown>): Promise<string> {
  try {
    await operation;
    return 'no error';
  } catch (error) {
    return (error as HoldfastError).code;
  }
}

/** Appends events by name. */
export function recordingEvents(events: string[]): HsmEvents {
  return {
    memberOpened: ({ memberName }) => void events.push(`opened ${memberName}`),
    memberOpenFailed: ({ memberName }) => void events.push(`not opened ${memberName}`),
    memberSuspended: ({ memberName }) => void events.push(`suspended ${memberName}`),
    memberProbeFailed: ({ memberName }) => void events.push(`probe failed ${memberName}`),
    memberResumed: ({ memberName }) => void events.push(`resumed ${memberName}`),
    memberReconnecting: ({ memberName }) => void events.push(`reconnecting ${memberName}`),
    memberReconnected: ({ memberName }) => void events.push(`reconnected ${memberName}`),
    memberReconnectFailed: ({ memberName }) => void events.push(`not reconnected ${memberName}`),
    memberStuck: ({ memberName }) => void events.push(`stuck ${memberName}`),
    laneQuarantined: ({ memberName }) => void events.push(`quarantined ${memberName}`),
    materialAlert: (_place, _materialId, alert) => void events.push(alert),
    copyMissing: ({ memberName }) => void events.push(`copy missing ${memberName}`),
    inventoryFailed: ({ memberName }) => void events.push(`not listed ${memberName}`),
    generationBehind: ({ memberName }) => void events.push(`behind ${memberName}`),
    lanesHung: (_clusterId, laneCount) => void events.push(`hung ${laneCount}`),
  };
}
