/**
 * A process with clusters of two members, in front of an HSM that encrypts at next to no cost:
 * `attempt-cost-load.ts <JSON of AttemptCostPlan>`. Prints one JSON `AttemptCostReport`. Two members need a cluster
 * that is made in code: the configuration allows one.
 */
import type { HsmCluster } from '../src/clusters/hsm-cluster.js';
import type { ClusterOptions } from '../src/hsm/clusters.js';
import { Secret } from '../src/secret.js';
import { createHsmFixture, type HsmFixture, inTime, makeMaterial } from '../test/hsm/fixture.js';
import { putFaultsBefore } from '../test/native/fault-hsm.js';
import { type AttemptCostPlan, type AttemptCostReport, comparedClusters, repeatedShare } from './attempt-cost.js';
import { comparisonOf } from './comparison.js';
import { plaintextBytes } from './methods.js';
import { shuffled } from './random-order.js';
import { median } from './statistics.js';
import { blockOf, type Pair, ratioOf } from './telemetry-pairs.js';

type ClusterName = 'plain' | (typeof comparedClusters)[number];

interface Loaded {
  fixture: HsmFixture;
  /** Encrypts once. */
  encrypt: () => Promise<unknown>;
}

const additionalData = new Uint8Array(100).fill(0x62);

async function start(name: ClusterName): Promise<Loaded> {
  const fixture = await createHsmFixture();
  const other = putFaultsBefore(fixture.hsm, 'other', 'replica-2');
  for (const hsm of [fixture.fault, other]) hsm.set('builtinCipher', 1);
  const options: Partial<ClusterOptions> = name === 'hedging' ? { hedging: true } : {};
  fixture.configure({ members: [fixture.member(), fixture.member({ name: 'two', module: other.module })], ...options });
  const cluster: HsmCluster = await fixture.connected();
  const material = await makeMaterial(cluster);
  // Half of the first attempts go to this member. CKR_DEVICE_ERROR: another member is tried.
  if (name === 'repetition') other.obey(`C_EncryptInit chance ${2 * repeatedShare} rv 0x30`);
  const plaintext = 'a'.repeat(plaintextBytes);
  const encrypt = () =>
    cluster.perform('encrypt', { material, plaintext: Secret.fromUtf8(plaintext), additionalData }, inTime());
  return { fixture, encrypt };
}

/** @returns the CPU of an operation, all threads, in microseconds. */
async function measure({ encrypt }: Loaded, operations: number, inFlight: number): Promise<number> {
  const before = process.cpuUsage();
  let left = operations;
  const caller = async (): Promise<void> => {
    for (; left > 0; ) {
      left -= 1;
      await encrypt();
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / operations;
}

async function run(plan: AttemptCostPlan): Promise<AttemptCostReport> {
  const names = ['plain', ...comparedClusters] as const;
  const loaded = new Map<ClusterName, Loaded>();
  for (const name of names) loaded.set(name, await start(name));
  const slice = (name: ClusterName, operations: number) => {
    const found = loaded.get(name);
    if (found === undefined) throw new Error(`${name} was not started.`);
    return measure(found, operations, plan.inFlight);
  };
  for (const name of names) await slice(name, plan.warmUpOperations);
  const pairs = Object.fromEntries(comparedClusters.map((name) => [name, [] as Pair[]])) as Record<string, Pair[]>;
  for (let block = 0; block < plan.blocks; block += 1) {
    for (const name of shuffled(comparedClusters)) {
      pairs[name]?.push(...(await blockOf(name, (which) => slice(which, plan.operationsPerSlice))));
    }
  }
  for (const { fixture } of loaded.values()) await fixture.dispose();
  const compared = comparedClusters.map((name) => [name, comparisonOf((pairs[name] ?? []).map(ratioOf))]);
  const plain = Object.values(pairs).flat();
  return {
    plainMicrosPerOperation: Number(median(plain.map(({ plainMicros }) => plainMicros)).toFixed(2)),
    ...(Object.fromEntries(compared) as Omit<AttemptCostReport, 'plainMicrosPerOperation'>),
  };
}

process.stdout.write(JSON.stringify(await run(JSON.parse(process.argv[2] ?? '') as AttemptCostPlan)));
