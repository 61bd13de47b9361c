import { type ActAudit } from '../audit/act-audit.js';
import type { HsmCluster, MemberInventory } from '../clusters/hsm-cluster.js';
import { type LeaseTools, underLease } from '../coordination/held-lease.js';
import { HoldfastError } from '../errors.js';
import { materialsOfCluster } from '../keys/cluster-materials.js';
import type { KeysCore } from '../keys/core.js';
import { CopyRound } from './copy-round.js';
import { DriftCheck } from './drift-check.js';
import type { Inventory, IntentRecovery } from './intent-recovery.js';
import { resolveDuplicates } from './duplicates.js';
import { Pace } from './pace.js';
import { PeriodicJob } from './periodic-job.js';
import { type MemberReconciliation, notCompared, type Reconciliation, repeated } from './reconciliation.js';

/** The dependencies of reconciliation, and its bounds; times in milliseconds. */
export interface ReconcilerOptions {
  core: Pick<KeysCore, 'catalog' | 'keyStores' | 'clock' | 'onBackgroundError'>;
  audit: ActAudit;
  leases: LeaseTools;
  intentRecovery: Pick<IntentRecovery, 'compare' | 'checkInventory'>;
  /** The clusters whose members should hold the same keys. */
  clusterIds: readonly string[];
  /** Of these, the ones whose vendor copies keys: they are only compared. Default none. */
  vendorClusterIds?: readonly string[];
  /** The maximum rate of copies and proofs, one at a time. */
  copiesPerSecond: number;
  /** Called with every result. */
  onReconciled?: ((result: Reconciliation) => void) | undefined;
  /** How often a cluster that is due is looked for. Default one minute. */
  intervalMs?: number | undefined;
  /** How often a cluster is compared without a reason. Default 10 min. */
  comparedEveryMs?: number | undefined;
  /** Default 30 s. */
  callTimeoutMs?: number | undefined;
  /** See `CopyRoundTools`. Default one minute. */
  settledAfterMs?: number | undefined;
  /** How many materials of each member one round proves. Default 50. */
  sampleSize?: number | undefined;
}

/** How a cluster is reconciled. */
export interface ReconcileRequest {
  /** Only compare. Default false. */
  dryRun?: boolean;
  /** Called after each copy was tried. */
  onProgress?: (progress: ReconcileProgress) => void;
  /** Ends the work between two copies. */
  signal?: AbortSignal;
}

/** How far the copies to one member have come. */
export interface ReconcileProgress {
  memberName: string;
  tried: number;
  missing: number;
}

/**
 * Gives the members of wrapped clusters the keys that they lack: a member that was away, one that was just added, or a
 * new token in an old one's place. It compares inventories with the catalog, so that whatever ends it, the next round
 * continues. One process at a time copies; the others compare, to know where to send their requests. Where the vendor's
 * cluster copies keys, all of them only compare, every minute until nothing is missing.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #rounds: PeriodicJob;
  readonly #pace: Pace;
  readonly #driftCheck: DriftCheck;
  /** Reconciliations of one cluster, one after the other: this process has its lease only once. */
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #results = new Map<string, Reconciliation>();
  readonly #comparedMs = new Map<string, number>();
  readonly #due = new Set<string>();

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    const { core, copiesPerSecond, callTimeoutMs = 30_000, sampleSize = 50 } = options;
    this.#pace = new Pace(core.clock, copiesPerSecond);
    this.#driftCheck = new DriftCheck({ core, pace: this.#pace, callTimeoutMs, sampleSize });
    this.#rounds = new PeriodicJob({
      clock: core.clock,
      intervalMs: options.intervalMs ?? 60_000,
      name: 'reconciling the members of clusters',
      round: (signal) => this.#round(signal),
      onBackgroundError: core.onBackgroundError,
    });
  }

  start(): void {
    this.#rounds.start();
  }

  stop(): Promise<void> {
    return this.#rounds.stop();
  }

  /** The last result for a cluster; undefined if this process has none. */
  lastResult(clusterId: string): Reconciliation | undefined {
    return this.#results.get(clusterId);
  }

  /** A member lacks a key: the next round compares the cluster. */
  noteMissing(clusterId: string): void {
    this.#due.add(clusterId);
  }

  /**
   * Called when a cluster has connected, or a member has returned. A cluster without replication is only compared with
   * the catalog. Never rejects.
   */
  async check(clusterId: string): Promise<void> {
    const { core, clusterIds, intentRecovery } = this.#options;
    if (!clusterIds.includes(clusterId)) return intentRecovery.checkInventory(clusterId);
    if (core.keyStores.connectedCluster(clusterId) === undefined) return;
    try {
      await this.reconcile(clusterId, { signal: this.#rounds.stopping });
    } catch (error) {
      this.#due.add(clusterId);
      core.onBackgroundError(error, `reconciling cluster ${clusterId}`);
    }
  }

  /**
   * Compares every connected member with the catalog, and copies what is missing.
   * @throws KEY_UNAVAILABLE if the cluster is not connected, UNSUPPORTED_OPERATION if it has no replication, and what
   *   keeps an inventory or the catalog from being read
   */
  reconcile(clusterId: string, request: ReconcileRequest = {}): Promise<Reconciliation> {
    const turn = (this.#turns.get(clusterId) ?? Promise.resolve()).then(
      () => this.#reconcile(clusterId, request),
      () => this.#reconcile(clusterId, request),
    );
    this.#turns.set(clusterId, turn);
    return turn;
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { core, clusterIds, comparedEveryMs = 10 * 60_000 } = this.#options;
    for (const clusterId of clusterIds) {
      if (signal.aborted) return;
      const comparedMs = this.#comparedMs.get(clusterId);
      const isOld = comparedMs === undefined || core.clock.monotonicMs() - comparedMs >= comparedEveryMs;
      if (isOld || this.#due.has(clusterId)) await this.check(clusterId);
    }
  }

  async #reconcile(clusterId: string, request: ReconcileRequest): Promise<Reconciliation> {
    const { core, intentRecovery } = this.#options;
    const { dryRun = false, signal = never } = request;
    const cluster = this.#connected(clusterId);
    this.#due.delete(clusterId);
    const expected: string[] = [];
    for await (const { materialId } of materialsOfCluster(core.catalog, clusterId)) expected.push(materialId);
    const inventory = await intentRecovery.compare(cluster, { destroyReappeared: !dryRun });
    const work = inventory.members.map((member) => new MemberWork(member, inventory, expected));
    this.#comparedMs.set(clusterId, core.clock.monotonicMs());
    const lacking = work.filter(({ missing, result }) => missing.length > 0 && result.isCurrent);
    const doubled = this.#vendorCopies(clusterId) ? [] : work.filter((one) => one.resolvable(work).length > 0);
    const isAlike = lacking.length === 0 && doubled.length === 0;
    const done = dryRun || isAlike || (await this.#repair(cluster, { lacking, doubled, work }, request));
    for (const { result, present } of work) {
      result.driftedMaterialIds = await this.#driftCheck.ofMember(cluster, result.memberName, present, signal);
    }
    // Also a member without the wrapping keys in use: it may have hidden them, as it hid its keys.
    if (work.some(({ missing, result }) => result.copied < missing.length)) this.#due.add(clusterId);
    return this.#finish(clusterId, { dryRun, copiedElsewhere: !done, work });
  }

  /** @returns false if another process is copying. */
  #repair(
    cluster: HsmCluster,
    { lacking, doubled, work }: Record<'lacking' | 'doubled' | 'work', readonly MemberWork[]>,
    request: ReconcileRequest,
  ): Promise<boolean> {
    const { core, audit, leases, callTimeoutMs = 30_000, settledAfterMs = 60_000 } = this.#options;
    const { signal = never, onProgress } = request;
    return underLease(leases, `reconcile/${cluster.clusterId}`, async (held) => {
      const tools = { core, audit, cluster, held, signal, callTimeoutMs, settledAfterMs, pace: this.#pace };
      for (const one of doubled) {
        one.markResolved(await resolveDuplicates(tools, one.result.memberName, one.resolvable(work)));
      }
      for (const { result, missing } of lacking) {
        const { memberName } = result;
        let tried = 0;
        const onCopied = (): void => onProgress?.({ memberName, tried: ++tried, missing: missing.length });
        Object.assign(result, await new CopyRound(tools, memberName).copy(missing, onCopied));
      }
    });
  }

  #vendorCopies(clusterId: string): boolean {
    return this.#options.vendorClusterIds?.includes(clusterId) === true;
  }

  #connected(clusterId: string): HsmCluster {
    const { core, clusterIds } = this.#options;
    if (!clusterIds.includes(clusterId)) {
      const message = `Cluster ${clusterId} does not exist, or has no replication.`;
      throw new HoldfastError('UNSUPPORTED_OPERATION', message);
    }
    const cluster = core.keyStores.connectedCluster(clusterId);
    if (cluster !== undefined) return cluster;
    throw new HoldfastError('KEY_UNAVAILABLE', `Cluster ${clusterId} is not connected. Try again.`, {
      retryable: true,
    });
  }

  #finish(
    clusterId: string,
    { dryRun, copiedElsewhere, work }: Pick<Reconciliation, 'dryRun' | 'copiedElsewhere'> & { work: MemberWork[] },
  ): Reconciliation {
    const { core, onReconciled } = this.#options;
    const compared = new Map(work.map(({ result }) => [result.memberName, result]));
    const names = core.keyStores.describeCluster(clusterId)?.memberNames ?? [...compared.keys()];
    const members = names.map((name) => compared.get(name) ?? notCompared(name));
    const result = { clusterId, finishedDate: core.clock.now(), dryRun, copiedElsewhere, members };
    this.#results.set(clusterId, result);
    onReconciled?.(result);
    return result;
  }
}

const never = new AbortController().signal;

/** One member, compared. */
class MemberWork {
  readonly result: MemberReconciliation;
  /** Ids of the materials that it has and that it lacks, ascending. */
  readonly present: string[];
  readonly missing: string[];

  constructor(
    { memberName, materialIds, isCurrent }: MemberInventory,
    { accounts }: Inventory,
    expected: readonly string[],
  ) {
    const held = new Set(materialIds);
    this.present = expected.filter((materialId) => held.has(materialId));
    this.missing = expected.filter((materialId) => !held.has(materialId));
    this.result = {
      ...notCompared(memberName),
      compared: true,
      isCurrent,
      present: this.present.length,
      missing: this.missing.length,
      unknownMaterialIds: [...held].filter((materialId) => accounts.get(materialId) === 'unaccounted'),
      duplicateMaterialIds: repeated(materialIds).filter((materialId) => accounts.get(materialId) === 'kept'),
    };
  }

  /** The duplicates of keys that another member has as one object: if all goes wrong here, that one is left. */
  resolvable(all: readonly MemberWork[]): string[] {
    const others = all.filter((one) => one !== this);
    return this.result.duplicateMaterialIds.filter((materialId) =>
      others.some(
        ({ present, result }) => present.includes(materialId) && !result.duplicateMaterialIds.includes(materialId),
      ),
    );
  }

  markResolved(materialIds: readonly string[]): void {
    const left = this.result.duplicateMaterialIds.filter((materialId) => !materialIds.includes(materialId));
    this.result.duplicateMaterialIds = left;
  }
}
