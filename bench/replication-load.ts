/**
 * A process with wrapped clusters on SoftHSM tokens of their own: `replication-load.ts <JSON of ReplicationPlan>`.
 * Prints one JSON `ReplicationFigures`, and its progress on stderr.
 */
import { systemClock } from '../src/clock-system.js';
import type { HsmCluster, MaterialReference } from '../src/clusters/hsm-cluster.js';
import type { ConfiguredHsmClusters } from '../src/hsm/clusters.js';
import { IntentRecovery } from '../src/jobs/intent-recovery.js';
import { Reconciler, type ReconcilerOptions } from '../src/jobs/reconciler.js';
import { Secret } from '../src/secret.js';
import { clusterId, inTime } from '../test/hsm/fixture.js';
import { type WrappedMember, WrappedCluster } from '../test/wrapped-cluster.js';
import { plaintextBytes } from './methods.js';
import type { ReplicatedKeyCost, ReplicationFigures, ReplicationPlan } from './replication.js';
import { serviceTimeMs } from './simulated-hsm.js';
import { median } from './statistics.js';

type Pair = ReplicationFigures['threeMembers'][number];

/** What `serve` does by itself: the default of `limits.reconcileCopiesPerSecond`. */
const productCopiesPerSecond = 50;

const additionalData = new Uint8Array(100).fill(0x62);

const progress = (line: string): void => void process.stderr.write(`${line}\n`);

/** @returns what `use` returns, with a cluster that is gone afterwards. */
async function withCluster<T>(members: number, use: (on: WrappedCluster) => Promise<T>): Promise<T> {
  const on = await WrappedCluster.make(members);
  try {
    return await use(on);
  } finally {
    await on.dispose();
  }
}

async function createKeyCosts(plan: ReplicationPlan, members: number): Promise<ReplicatedKeyCost[]> {
  return withCluster(members, async (on) => {
    const cluster = await on.connected();
    const costs: ReplicatedKeyCost[] = [];
    let keys = 0;
    for (const keysOnToken of plan.levels) {
      for (; keys < keysOnToken - plan.keysPerLevel / 2; keys += 1) await on.makeKey(cluster);
      const made: { cpuMicros: number; ms: number }[] = [];
      for (let count = 0; count < plan.keysPerLevel; count += 1, keys += 1) made.push(await costOfKey(on, cluster));
      const cpuMicrosPerKey = median(made.map(({ cpuMicros }) => cpuMicros));
      const keysPerSecond = 1_000 / median(made.map(({ ms }) => ms));
      costs.push({ members, keysOnToken, cpuMicrosPerKey, keysPerSecond });
      progress(`CreateKey on ${members} members with ${keysOnToken} keys: ${keysPerSecond.toFixed(0)} keys/s`);
    }
    return costs;
  });
}

async function costOfKey(on: WrappedCluster, cluster: HsmCluster): Promise<{ cpuMicros: number; ms: number }> {
  const [before, startMs] = [process.cpuUsage(), performance.now()];
  const { memberNames } = await on.makeKey(cluster);
  const { user, system } = process.cpuUsage(before);
  if (memberNames.length !== on.members.length) throw new Error(`The key is on ${memberNames.join(', ')} only.`);
  return { cpuMicros: user + system, ms: performance.now() - startMs };
}

/** @param copiesPerSecond the product's, or more to see what limits it otherwise */
function reconcilerOf(
  on: WrappedCluster,
  { clusters, cluster }: { clusters: ConfiguredHsmClusters; cluster: HsmCluster },
  copiesPerSecond: number,
): Reconciler {
  const keyStores = {
    connectedCluster: (id: string) => (id === clusterId ? cluster : undefined),
    describeCluster: () => clusters.describe(clusterId),
  } as unknown as ReconcilerOptions['core']['keyStores'];
  const onBackgroundError = (error: unknown, what: string): never => {
    throw new Error(what, { cause: error });
  };
  const core = { catalog: on.catalog, keyStores, clock: systemClock, onBackgroundError };
  const tools = { core, ...on.own() };
  const intentRecovery = new IntentRecovery({ ...tools, onUnaccountedMaterial: () => undefined });
  return new Reconciler({ ...tools, intentRecovery, clusterIds: [clusterId], copiesPerSecond });
}

/** A cluster of three whose last member has none of its keys. */
async function withFreshMember<T>(
  keys: number,
  use: (on: WrappedCluster, connected: { clusters: ConfiguredHsmClusters; cluster: HsmCluster }) => Promise<T>,
): Promise<T> {
  return withCluster(3, async (on) => {
    const fresh = on.members.pop() as WrappedMember;
    const cluster = await on.connected();
    for (let made = 0; made < keys; made += 1) {
      await on.makeKey(cluster);
      if (made % 1_000 === 999) progress(`${made + 1} of ${keys} keys made on two members`);
    }
    await on.close();
    on.members.push(fresh);
    const clusters = on.clusters();
    return use(on, { clusters, cluster: await on.connected(clusters) });
  });
}

async function reconcileRate(keys: number): Promise<ReplicationFigures['reconcile']> {
  return withFreshMember(keys, async (on, connected) => {
    const startMs = performance.now();
    const { members } = await reconcilerOf(on, connected, 1_000_000).reconcile(clusterId, {
      onProgress: ({ tried, missing }) => {
        if (tried % 1_000 === 0) progress(`${tried} of ${missing} keys copied`);
      },
    });
    const seconds = (performance.now() - startMs) / 1_000;
    const copied = members.reduce((sum, member) => sum + member.copied, 0);
    if (copied !== keys) throw new Error(`${copied} keys of ${keys} were copied.`);
    return { keys, keysPerSecond: copied / seconds };
  });
}

/** @returns encryptions per second */
async function encrypt(cluster: HsmCluster, material: MaterialReference, count: number, inFlight: number) {
  const plaintext = 'a'.repeat(plaintextBytes);
  let left = count;
  const caller = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await cluster.perform('encrypt', { material, plaintext: Secret.fromUtf8(plaintext), additionalData }, inTime());
    }
  };
  const startMs = performance.now();
  await Promise.all(Array.from({ length: inFlight }, caller));
  return (count * 1_000) / (performance.now() - startMs);
}

async function encryptDuringReconcile(plan: ReplicationPlan): Promise<Pair[]> {
  return withFreshMember(plan.pairs * 200, async (on, connected) => {
    const { cluster } = connected;
    const { material } = await on.makeKey(cluster);
    const slice = (): Promise<number> => encrypt(cluster, material, plan.encryptionsPerSlice, 16);
    await slice();
    const compared: Pair[] = [];
    for (let pair = 0; pair < plan.pairs; pair += 1) {
      const plainRps = await slice();
      compared.push({ plainRps, comparedRps: await besideReconciliation(on, connected, slice) });
    }
    return compared;
  });
}

/** @returns what `slice` measures while keys are copied. */
async function besideReconciliation(
  on: WrappedCluster,
  connected: { clusters: ConfiguredHsmClusters; cluster: HsmCluster },
  slice: () => Promise<number>,
): Promise<number> {
  const ending = new AbortController();
  let result: ReturnType<Reconciler['reconcile']> | undefined;
  await new Promise<void>((resolve, reject) => {
    const { signal } = ending;
    result = reconcilerOf(on, connected, productCopiesPerSecond).reconcile(clusterId, {
      signal,
      onProgress: () => resolve(),
    });
    result.then(() => reject(new Error('There were no more keys to copy.')), reject);
  });
  const measured = await slice();
  ending.abort();
  await result;
  return measured;
}

/** With the toy cipher, so that the HSM's millisecond is all that a request waits for. */
async function threeMembers({ pairs, encryptionsPerSlice }: ReplicationPlan): Promise<Pair[]> {
  return withCluster(3, async (on) => {
    const members = on.members.map((member) => ({ ...on.memberOptions(member), laneCount: 4 }));
    const one = await on.connected(on.clusters({ members: members.slice(0, 1), minimumMembers: 1 }));
    const three = await on.connected(on.clusters({ members }));
    const { material } = await on.makeKey(three);
    const slice = (cluster: HsmCluster, share: number) =>
      encrypt(cluster, material, Math.ceil(encryptionsPerSlice * share), cluster === one ? 8 : 24);
    for (const cluster of [one, three]) await slice(cluster, 0.2);
    for (const { fault } of on.members) {
      fault.set('builtinCipher', 1);
      fault.obey(...['C_Encrypt', 'C_GenerateRandom'].map((name) => `latency ${name} ${serviceTimeMs}`));
    }
    const compared: Pair[] = [];
    for (let pair = 0; pair < pairs; pair += 1) {
      compared.push({ plainRps: await slice(one, 1 / 3), comparedRps: await slice(three, 1) });
    }
    return compared;
  });
}

async function measure(plan: ReplicationPlan): Promise<ReplicationFigures> {
  // On tokens that are not measured: V8 compiles the code meanwhile.
  await createKeyCosts({ ...plan, levels: [100], keysPerLevel: 2 }, 2);
  const createKey: ReplicatedKeyCost[] = [];
  for (const members of plan.memberCounts) createKey.push(...(await createKeyCosts(plan, members)));
  return {
    createKey,
    reconcile: await reconcileRate(plan.reconciledKeys),
    duringReconcile: await encryptDuringReconcile(plan),
    threeMembers: await threeMembers(plan),
  };
}

process.stdout.write(JSON.stringify(await measure(JSON.parse(process.argv[2] ?? '') as ReplicationPlan)));
