import type { ActAudit } from '../audit/act-audit.js';
import type { HsmCall } from '../calls/hsm-call.js';
import type { ClusterRequest, HsmCluster, MemberInventory } from '../clusters/hsm-cluster.js';
import { type HeldLease, type LeaseTools, underLease } from '../coordination/held-lease.js';
import { delay } from '../clock.js';
import { HoldfastError } from '../errors.js';
import { CopyRound, type CopyRoundTools, type CopySource } from './copy-round.js';
import type { Pace } from './pace.js';
import { materialsOfCluster } from '../keys/cluster-materials.js';
import type { KeyCatalog } from '../keys/catalog.js';
import { readArchive } from '../backup/archive-reader.js';
import { clustersWithMaterial, type Manifest } from '../backup/manifest.js';
import type { ArchivedMaterial } from '../backup/records.js';

/** The dependencies of giving members the keys of an archive. */
export interface KeyRestoreTools {
  core: CopyRoundTools['core'] & { catalog: Pick<KeyCatalog, 'listMaterialsOfCluster'> };
  audit: ActAudit;
  leases: LeaseTools;
  /** The members that are given keys; undefined if none is open. */
  connectedCluster: (clusterId: string) => HsmCluster | undefined;
  /** Where a blob is wrapped anew for members without its generation. */
  rewrappingCluster: (clusterId: string) => HsmCluster | undefined;
  callTimeoutMs: number;
  /** See `CopyRoundTools`; 0 if no service can be making keys. */
  settledAfterMs: number;
}

/** Which archive, and how. It was verified before: each key still proves itself by the catalog's canary. */
export interface KeyRestoreRequest {
  manifest: Manifest;
  /** Opens the archive, from its first byte. */
  open: () => AsyncIterable<Uint8Array>;
  /** Only compare. */
  dryRun: boolean;
  onProgress: (progress: { done: number; total: number }) => void;
  signal: AbortSignal;
}

/** What became of one member. */
export interface RestoredMember {
  clusterId: string;
  memberName: string;
  /** Whether it was open. If not, nothing is known of it. */
  isOpen: boolean;
  /** Materials that the catalog has for it, that it lacked before, was given, and could not be given. */
  expected: number;
  lacking: number;
  restored: number;
  failed: number;
  /** What it lacks now; and which materials these are, at most the first 100. */
  missing: number;
  missingIds: readonly string[];
  /** False: it lacks the wrapping keys in use, and was given nothing. */
  isCurrent: boolean;
}

const batchSize = 100;
const maxNamed = 100;
/** A restore that was killed keeps the lease until it ends; a service that repairs may keep it for long. */
const leaseWaitMs = 45_000;
const leasePauseMs = 1_000;

/**
 * Gives the members of the archive's clusters the keys that the catalog has and they lack. Whatever ends it, the next run
 * continues: it compares first.
 * @throws HoldfastError if another process repairs a cluster, or its members cannot be listed
 */
export async function restoreKeys(tools: KeyRestoreTools, request: KeyRestoreRequest): Promise<RestoredMember[]> {
  const members: RestoredMember[] = [];
  for (const { clusterId } of clustersWithMaterial(request.manifest)) {
    const cluster = tools.connectedCluster(clusterId);
    if (cluster === undefined) continue;
    const restore = async (held: HeldLease): Promise<void> => {
      members.push(...(await new ClusterRestore(tools, request, cluster, held).run()));
    };
    const untilMs = tools.core.clock.monotonicMs() + leaseWaitMs;
    while (!(await underLease(tools.leases, `reconcile/${clusterId}`, restore))) {
      if (tools.core.clock.monotonicMs() >= untilMs) throw isRepaired(clusterId);
      await delay(tools.core.clock, leasePauseMs, request.signal);
    }
  }
  return members;
}

/** The restore of one cluster's keys, under its lease. */
class ClusterRestore {
  readonly #tools: KeyRestoreTools;
  readonly #request: KeyRestoreRequest;
  readonly #cluster: HsmCluster;
  readonly #held: HeldLease;
  #done = 0;

  constructor(tools: KeyRestoreTools, request: KeyRestoreRequest, cluster: HsmCluster, held: HeldLease) {
    this.#tools = tools;
    this.#request = request;
    this.#cluster = cluster;
    this.#held = held;
  }

  async run(): Promise<RestoredMember[]> {
    const expected = await this.#expected();
    const before = await this.#inventories();
    if (this.#request.dryRun) return before.map((member) => outcome(this.#cluster, member, member, expected));
    const targets = before.filter(({ isCurrent }) => isCurrent).map((member) => new MemberTarget(member, expected));
    await this.#restoreTo(targets);
    const after = await this.#inventories();
    return before.map((member) => {
      const now = after.find(({ memberName }) => memberName === member.memberName) ?? member;
      const counts = targets.find(({ memberName }) => memberName === member.memberName)?.counts;
      return { ...outcome(this.#cluster, member, now, expected), ...counts };
    });
  }

  async #restoreTo(targets: readonly MemberTarget[]): Promise<void> {
    const rounds = targets.map((target) => ({ target, blobs: new BlobSource(this.#tools, this.#cluster, target) }));
    const working = rounds.map(({ target, blobs }) => ({ target, blobs, round: this.#roundOf(target, blobs) }));
    const total = targets.reduce((sum, { lacking }) => sum + lacking.size, 0);
    for await (const batch of this.#batches()) {
      const works = working.map(async ({ target, blobs, round }) => {
        const ids = batch.map((material) => material.material_id).filter((id) => target.lacking.has(id));
        blobs.take(batch);
        const { copied, failed } = await round.copy(ids, () => {
          this.#request.onProgress({ done: (this.#done += 1), total });
        });
        target.counts = { restored: copied, failed };
      });
      await Promise.all(works);
    }
  }

  #roundOf({ memberName }: MemberTarget, source: CopySource): CopyRound {
    const { core, audit, callTimeoutMs, settledAfterMs } = this.#tools;
    const { signal } = this.#request;
    // Keys that cannot be restored must not keep those after them away. A member that is gone ends its round.
    const maxFailuresInARow = Number.POSITIVE_INFINITY;
    const bounds = { callTimeoutMs, settledAfterMs, signal, pace: noPace, maxFailuresInARow };
    return new CopyRound({ core, audit, cluster: this.#cluster, held: this.#held, ...bounds, source }, memberName);
  }

  async *#batches(): AsyncGenerator<ArchivedMaterial[]> {
    let batch: ArchivedMaterial[] = [];
    for await (const part of readArchive(this.#request.open())) {
      this.#request.signal.throwIfAborted();
      if (part.kind !== 'material' || part.material.cluster_id !== this.#cluster.clusterId) continue;
      batch.push(part.material);
      if (batch.length < batchSize) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  }

  async #expected(): Promise<string[]> {
    const ids: string[] = [];
    const { clusterId } = this.#cluster;
    for await (const { materialId } of materialsOfCluster(this.#tools.core.catalog, clusterId)) ids.push(materialId);
    return ids;
  }

  #inventories(): Promise<MemberInventory[]> {
    const { core, callTimeoutMs } = this.#tools;
    return this.#cluster.perform('listMaterialIds', {}, { deadlineMs: core.clock.monotonicMs() + callTimeoutMs });
  }
}

/** A member that is given keys. */
class MemberTarget {
  readonly memberName: string;
  readonly generations: readonly number[];
  readonly lacking: ReadonlySet<string>;
  counts = { restored: 0, failed: 0 };

  constructor({ memberName, generations, materialIds }: MemberInventory, expected: readonly string[]) {
    this.memberName = memberName;
    this.generations = generations;
    const held = new Set(materialIds);
    this.lacking = new Set(expected.filter((materialId) => !held.has(materialId)));
  }
}

/** The blobs of one batch, under a generation that the member has. */
class BlobSource implements CopySource {
  readonly operation = 'RestoreKeyMaterials';
  readonly #tools: KeyRestoreTools;
  readonly #cluster: HsmCluster;
  readonly #target: MemberTarget;
  #batch: ReadonlyMap<string, ArchivedMaterial> = new Map();

  constructor(tools: KeyRestoreTools, cluster: HsmCluster, target: MemberTarget) {
    this.#tools = tools;
    this.#cluster = cluster;
    this.#target = target;
  }

  take(batch: readonly ArchivedMaterial[]): void {
    this.#batch = new Map(batch.map((material) => [material.material_id, material]));
  }

  readonly copy: CopySource['copy'] = async (request, call) =>
    this.#cluster.perform('restoreKeyMaterial', { ...request, ...(await this.#wrapped(request, call)) }, call);

  async #wrapped({ material }: ClusterRequest<'copyKeyMaterial'>, call: HsmCall) {
    const archived = this.#batch.get(material.materialId);
    if (archived === undefined) throw new Error(`Key material ${material.materialId} is not in this batch.`);
    const { generation } = archived;
    const blob = Buffer.from(archived.blob, 'hex');
    const { generations } = this.#target;
    if (generations.includes(generation)) return { generation, blob };
    const toGeneration = Math.max(...generations);
    const rewrapping = this.#tools.rewrappingCluster(this.#cluster.clusterId) ?? this.#cluster;
    const request = { material, generation, blob, toGeneration };
    return { generation: toGeneration, blob: await rewrapping.perform('rewrapKeyMaterial', request, call) };
  }
}

function outcome(
  { clusterId }: HsmCluster,
  before: MemberInventory,
  now: MemberInventory,
  expected: readonly string[],
): RestoredMember {
  const lackedBy = ({ materialIds }: MemberInventory): string[] => {
    const held = new Set(materialIds);
    return expected.filter((materialId) => !held.has(materialId));
  };
  const { memberName, isCurrent } = before;
  const missing = lackedBy(now);
  const missingIds = missing.slice(0, maxNamed);
  const counts = { lacking: lackedBy(before).length, restored: 0, failed: 0, missing: missing.length, missingIds };
  return { clusterId, memberName, isCurrent, isOpen: true, expected: expected.length, ...counts };
}

/** An operator waits for it, and callers come later. */
const noPace: Pick<Pace, 'turn'> = { turn: () => Promise.resolve() };

function isRepaired(clusterId: string): HoldfastError {
  const message = `A service repairs cluster ${clusterId} at this moment. Try again when it has finished.`;
  return new HoldfastError('KEY_UNAVAILABLE', message, { retryable: true });
}
