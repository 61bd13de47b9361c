/**
 * A process with a wrapped cluster of one SoftHSM token, and archives of its keys: `backup-load.ts <JSON of BackupPlan>`.
 * Prints one JSON `BackupFigures`, and its progress on stderr.
 */
import { join } from 'node:path';
import { readManifest } from '../src/backup/archive-reader.js';
import { type ArchiveTools, createArchive } from '../src/backup/create-archive.js';
import { verifyArchive } from '../src/backup/verify-archive.js';
import { systemClock } from '../src/clock-system.js';
import type { HsmCluster, MaterialReference } from '../src/clusters/hsm-cluster.js';
import { Pace } from '../src/jobs/pace.js';
import { restoreKeys } from '../src/jobs/restore-keys.js';
import { Secret } from '../src/secret.js';
import { archiveFolder } from '../src/storage/archive-folder.js';
import { catalogSnapshots } from '../src/storage/catalog-snapshot.js';
import { clusterId, inTime } from '../test/hsm/fixture.js';
import { WrappedCluster, type WrappedMember } from '../test/wrapped-cluster.js';
import type { BackupCost, BackupFigures, BackupPlan } from './backup.js';
import { plaintextBytes } from './methods.js';

/** The default of `backup.materialsPerSecond`. */
const productMaterialsPerSecond = 50;
const samplingMs = 20;

const additionalData = new Uint8Array(100).fill(0x62);
const progress = (line: string): void => void process.stderr.write(`${line}\n`);
const never = new AbortController().signal;

interface Bench {
  on: WrappedCluster;
  cluster: HsmCluster;
}

function toolsOf({ on, cluster }: Bench, turn: ArchiveTools['turn']): ArchiveTools {
  return {
    clock: systemClock,
    identity: { partition: 'aws', region: 'eu-central-1', accounts: ['111122223333'] },
    holdfastVersion: 'bench',
    clusters: () => [{ clusterId, name: 'main', replication: 'wrapped', trust: 'enforced' }],
    connectedCluster: () => cluster,
    isMaterialKept: (materialId) => on.catalog.isMaterialKept(materialId),
    turn,
    callTimeoutMs: 30_000,
  };
}

const atOnce = (): Promise<void> => Promise.resolve();

let archives = 0;

/** @returns the name of the archive and its length */
async function archive(bench: Bench, turn: ArchiveTools['turn'], signal: AbortSignal, onFirst = (): void => undefined) {
  const { folder } = bench.on;
  const archiveId = String(archives++).padStart(32, '0');
  const snapshot = await catalogSnapshots(join(folder, 'catalog.db'), folder).take();
  const target = await archiveFolder(folder).create(archiveId);
  try {
    const { bytes, totals } = await createArchive(toolsOf(bench, turn), {
      ...{ archiveId, snapshot, signal, onProgress: onFirst },
      sink: (chunk) => target.write(chunk),
    });
    await target.publish();
    return { name: archiveId, bytes, keys: totals.clusters[0]?.materials ?? 0 };
  } finally {
    await target.discard();
    snapshot.discard();
  }
}

/** What work took, and how far memory rose. */
interface Measured<T> {
  result: T;
  seconds: number;
  /** The resident memory, at most. */
  memoryBytes: number;
  /** V8's own, after the work. */
  heapBytes: number;
}

/** Runs work, and samples how far the memory rises above what it was before. */
async function measured<T>(work: () => Promise<T>): Promise<Measured<T>> {
  const heapBefore = heapBytes();
  const before = process.memoryUsage().rss;
  let highest = before;
  const sampling = setInterval(() => (highest = Math.max(highest, process.memoryUsage().rss)), samplingMs);
  const startMs = performance.now();
  try {
    const result = await work();
    const seconds = (performance.now() - startMs) / 1_000;
    return { result, seconds, memoryBytes: highest - before, heapBytes: heapBytes() - heapBefore };
  } finally {
    clearInterval(sampling);
  }
}

/** What V8 holds on to. */
function heapBytes(): number {
  global.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Gives a member without keys all that the archive has. @returns like `measured` */
async function restoreOnto(on: WrappedCluster, fresh: WrappedMember, name: string) {
  on.members.push(fresh);
  const cluster = await on.connected();
  const open = (): AsyncIterable<Uint8Array> => archiveFolder(on.folder).read(name);
  const { audit, leases } = on.own('a restore');
  const onBackgroundError = (error: unknown): never => {
    throw error;
  };
  const tools = {
    core: { catalog: on.catalog, clock: systemClock, onBackgroundError },
    ...{ audit, leases, callTimeoutMs: 30_000, settledAfterMs: 0 },
    connectedCluster: () => cluster,
    rewrappingCluster: () => cluster,
  };
  const manifest = await readManifest(open());
  const request = { manifest, open, dryRun: false, onProgress: () => undefined, signal: never };
  const restored = await measured(() => restoreKeys(tools, request));
  await on.close();
  on.members.pop();
  return restored;
}

async function costOf(bench: Bench, keys: number, fresh: WrappedMember): Promise<BackupCost> {
  const made = await measured(() => archive(bench, atOnce, never));
  if (made.result.keys !== keys) throw new Error(`${made.result.keys} keys of ${keys} were archived.`);
  const verifying = { ...toolsOf(bench, atOnce), isConfigured: () => true };
  const chunks = archiveFolder(bench.on.folder).read(made.result.name);
  const verified = await measured(() =>
    verifyArchive(verifying, { chunks, onProgress: () => undefined, signal: never }),
  );
  if (verified.result.proved !== keys) throw new Error(`${verified.result.proved} keys of ${keys} were proved.`);
  progress(`${keys} keys archived in ${made.seconds.toFixed(1)} s, verified in ${verified.seconds.toFixed(1)} s`);
  await bench.on.close();
  const restored = await restoreOnto(bench.on, fresh, made.result.name);
  bench.cluster = await bench.on.connected();
  const given = restored.result.reduce((sum, member) => sum + member.restored, 0);
  if (given !== keys) throw new Error(`${given} keys of ${keys} were restored.`);
  progress(`${keys} keys restored in ${restored.seconds.toFixed(1)} s`);
  return {
    keys,
    archivedPerSecond: keys / made.seconds,
    verifiedPerSecond: keys / verified.seconds,
    restoredPerSecond: keys / restored.seconds,
    archiveBytes: made.result.bytes,
    archivingMemoryBytes: made.memoryBytes,
    verifyingMemoryBytes: verified.memoryBytes,
    restoringMemoryBytes: restored.memoryBytes,
    restoringHeapBytes: restored.heapBytes,
  };
}

/** @returns encryptions per second */
async function encrypt({ cluster }: Bench, material: MaterialReference, count: number): Promise<number> {
  const plaintext = 'a'.repeat(plaintextBytes);
  let left = count;
  const caller = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await cluster.perform('encrypt', { material, plaintext: Secret.fromUtf8(plaintext), additionalData }, inTime());
    }
  };
  const startMs = performance.now();
  await Promise.all(Array.from({ length: 16 }, caller));
  return (count * 1_000) / (performance.now() - startMs);
}

/** @returns what `slice` measures while keys are archived at the product's pace */
async function besideBackup(bench: Bench, slice: () => Promise<number>): Promise<number> {
  const pace = new Pace(systemClock, productMaterialsPerSecond);
  const ending = new AbortController();
  let work: Promise<unknown> | undefined;
  await new Promise<void>((resolve, reject) => {
    work = archive(bench, (signal) => pace.turn(signal), ending.signal, resolve);
    work.then(() => reject(new Error('There were no more keys to archive.')), reject);
  });
  const found = await slice();
  ending.abort();
  await work?.catch(() => undefined);
  return found;
}

async function measure({ levels, pairs, encryptionsPerSlice }: BackupPlan): Promise<BackupFigures> {
  // One has the keys. Each restore is onto another of the rest, and the first one only compiles its code.
  const on = await WrappedCluster.make(levels.length + 2, { minimumMembers: 1 });
  const fresh = on.members.splice(1);
  const left = [...fresh];
  const next = (): WrappedMember => {
    const member = left.pop();
    if (member === undefined) throw new Error('There is a member for each restore.');
    return member;
  };
  // The timers of the pace keep no process alive; in a server its listeners do.
  const alive = setInterval(() => undefined, 60_000);
  try {
    const bench = { on, cluster: await on.connected() };
    const { material } = await on.makeKey(bench.cluster);
    const costs: BackupCost[] = [];
    let keys = 1;
    for (const level of levels) {
      for (; keys < level; keys++) {
        await on.makeKey(bench.cluster);
        if (keys % 1_000 === 0) progress(`${keys} keys made`);
      }
      // The first archive of a process also compiles its code.
      if (costs.length === 0) await costOf(bench, level, next());
      costs.push(await costOf(bench, level, next()));
    }
    const slice = (): Promise<number> => encrypt(bench, material, encryptionsPerSlice);
    await slice();
    const duringBackup: BackupFigures['duringBackup'] = [];
    for (let pair = 0; pair < pairs; pair++) {
      const plainRps = await slice();
      duringBackup.push({ plainRps, comparedRps: await besideBackup(bench, slice) });
    }
    return { costs, duringBackup };
  } finally {
    clearInterval(alive);
    on.members.push(...fresh);
    await on.dispose();
  }
}

process.stdout.write(JSON.stringify(await measure(JSON.parse(process.argv[2] ?? '') as BackupPlan)));
