import { fileURLToPath } from 'node:url';
import { existsSync } from 'node:fs';
import { runProgram } from './program.js';
import { median } from './statistics.js';
import { typescriptHooks, withoutHooks } from './typescript-child.js';

const load = fileURLToPath(new URL('replication-load.ts', import.meta.url));

/** A file system in memory: SoftHSM waits for the disk at every key, for longer than it computes. */
const memory = '/dev/shm';

/** How much is measured. */
export interface ReplicationPlan {
  /** Numbers of members of the clusters that make keys. */
  memberCounts: readonly number[];
  /** Numbers of keys on each token around which the making of keys is measured, ascending. */
  levels: readonly number[];
  /** Keys made at each level. */
  keysPerLevel: number;
  /** Keys that a fresh member is given, as fast as it takes them. */
  reconciledKeys: number;
  /** Pairs of slices with and without a reconciliation, and encryptions in each slice. */
  pairs: number;
  encryptionsPerSlice: number;
}

/** The HSM's part in CreateKey on a cluster with so many members that have so many keys. Medians. */
export interface ReplicatedKeyCost {
  members: number;
  keysOnToken: number;
  /** CPU time of the whole process, user and system. */
  cpuMicrosPerKey: number;
  /** One key after the other. */
  keysPerSecond: number;
}

/** What came of it. Ratios are medians of pairs that were measured one right after the other. */
export interface ReplicationReport {
  createKey: ReplicatedKeyCost[];
  /** A fresh member gets all keys of another, without the product's bound on copies per second. */
  reconcile: { keys: number; keysPerSecond: number };
  /** Encryptions per second while a member is given keys at the product's pace ÷ without. Target at least 0.8. */
  encryptDuringReconcile: number;
  /** Encryptions per second on three members of an HSM that takes a millisecond ÷ on one of them. Target at least 2.8. */
  threeMembersToOne: number;
}

/** What `replicationLoad` measures by itself; the rest of the report follows from it. */
export interface ReplicationFigures extends Omit<ReplicationReport, 'encryptDuringReconcile' | 'threeMembersToOne'> {
  duringReconcile: { plainRps: number; comparedRps: number }[];
  threeMembers: { plainRps: number; comparedRps: number }[];
}

/** What several members cost and bring, in a process of its own. */
export async function measureReplication(plan: ReplicationPlan): Promise<ReplicationReport> {
  const output = await runProgram({
    program: process.execPath,
    parameters: ['--import', typescriptHooks, load, JSON.stringify(plan)],
    environment: { ...withoutHooks(), ...(existsSync(memory) ? { TMPDIR: memory } : {}) },
  });
  const { createKey, reconcile, duringReconcile, threeMembers } = JSON.parse(output) as ReplicationFigures;
  return {
    createKey,
    reconcile,
    encryptDuringReconcile: ratioOf(duringReconcile),
    threeMembersToOne: ratioOf(threeMembers),
  };
}

function ratioOf(pairs: ReplicationFigures['threeMembers']): number {
  return Number(median(pairs.map(({ plainRps, comparedRps }) => comparedRps / plainRps)).toFixed(3));
}

/**
 * CPU of making a key per member, with the most members and keys ÷ with the fewest: 1 if neither members nor keys make a
 * copy dearer. Throws if nothing was measured.
 */
export function growthPerMember(costs: readonly ReplicatedKeyCost[]): number {
  const [fewest, most] = [costs.at(0), costs.at(-1)];
  if (fewest === undefined || most === undefined) throw new Error('The making of replicated keys was not measured.');
  return Number((most.cpuMicrosPerKey / most.members / (fewest.cpuMicrosPerKey / fewest.members)).toFixed(3));
}

/** For people. */
export function replicationLines({ createKey, reconcile, ...ratios }: ReplicationReport): string[] {
  return [
    ...createKey.map(
      ({ members, keysOnToken, cpuMicrosPerKey, keysPerSecond }) =>
        `CreateKey, ${members} members, ${keysOnToken} keys`.padEnd(35) +
        `${keysPerSecond.toFixed(0)} keys/s, ${(cpuMicrosPerKey / 1_000).toFixed(2)} ms of CPU, ` +
        `${(cpuMicrosPerKey / members / 1_000).toFixed(2)} ms a member`,
    ),
    `CreateKey, CPU a member, most / few ${growthPerMember(createKey).toFixed(3)}`,
    `Reconcile, ${reconcile.keys} keys`.padEnd(35) + `${reconcile.keysPerSecond.toFixed(0)} keys/s`,
    `Encrypt during a reconcile / without ${ratios.encryptDuringReconcile.toFixed(3)}  (target 0.8)`,
    `Encrypt, three members / one        ${ratios.threeMembersToOne.toFixed(3)}  (target 2.8)`,
  ];
}
