import type { HsmCluster } from '../clusters/hsm-cluster.js';
import { type CatalogEpoch, deploymentName } from '../clusters/witness.js';
import type { MemberWitness, WitnessCatalog } from '../clusters/witness-catalog.js';
import { type LeaseTools, underLease } from '../coordination/held-lease.js';
import { HoldfastError, toHoldfastError } from '../errors.js';
import type { KeysCore } from '../keys/core.js';
import type { WitnessStatus } from '../status/service-status.js';
import { PeriodicJob } from './periodic-job.js';
import type { RollbackGuard, WitnessPlace } from './rollback-guard.js';

/**
 * Called when a witness was written, or could not be: then with the error. `isNews`: it could be the last time, or could
 * not.
 */
export type WitnessListener = (place: WitnessPlace, error: HoldfastError | undefined, isNews: boolean) => void;

/** The dependencies of the job, and its times in milliseconds. */
export interface WitnessRefreshOptions {
  core: Pick<KeysCore, 'keyStores' | 'identity' | 'clock' | 'onBackgroundError'>;
  catalog: WitnessCatalog;
  guard: Pick<RollbackGuard, 'judge' | 'lookForFinding'>;
  leases: LeaseTools;
  /** The clusters of the configuration. */
  clusterIds: () => readonly string[];
  onRefreshed: WitnessListener;
  /** Between two rounds. Default 15 s. */
  intervalMs?: number | undefined;
  /** Between two epochs, unless something is destroyed. With the interval it is less than a minute. Default 40 s. */
  minPauseMs?: number | undefined;
  /** How long one read or write may take. Default 30 s. */
  callTimeoutMs?: number | undefined;
}

/** What a destruction needs of witnesses. */
export interface DestructionWitness {
  /**
   * Resolves once a member of the cluster has a witness of everything that the catalog has recorded so far: from then on
   * no copy of the catalog from before is taken for the present one.
   * @throws HoldfastError KMS_INTERNAL, retryable, if no member could be given one. Then nothing may be destroyed.
   */
  beforeDestruction(cluster: HsmCluster): Promise<void>;
}

/**
 * Keeps the witness of the catalog on every open member of every connected cluster: within a minute of a change, when a
 * member shows that its witness is missing or old, and before key material is destroyed.
 *
 * The epoch rises in the catalog first. So a crash leaves a catalog that is ahead of its witnesses, which is harmless,
 * and never behind. One process at a time writes for a cluster, under a lease; two that did so would only do it twice.
 */
export class WitnessRefresh implements DestructionWitness {
  readonly #options: WitnessRefreshOptions;
  readonly #minPauseMs: number;
  readonly #callTimeoutMs: number;
  readonly #rounds: PeriodicJob;
  /** Members whose witness is to be written again, whatever the catalog says. */
  readonly #due = new Set<string>();
  /** Members whose witness could not be written. */
  readonly #failing = new Set<string>();
  /** As the catalog had them when it was read last. */
  #recorded: readonly MemberWitness[] = [];

  constructor(options: WitnessRefreshOptions) {
    this.#options = options;
    this.#minPauseMs = options.minPauseMs ?? 40_000;
    this.#callTimeoutMs = options.callTimeoutMs ?? 30_000;
    this.#rounds = new PeriodicJob({
      clock: options.core.clock,
      intervalMs: options.intervalMs ?? 15_000,
      name: 'refreshing the witnesses of the catalog',
      round: (signal) => this.#round(signal),
      onBackgroundError: options.core.onBackgroundError,
    });
  }

  start(): void {
    this.#rounds.start();
  }

  stop(): Promise<void> {
    return this.#rounds.stop();
  }

  /** Resolves when a round has ended. Never rejects. */
  runNow(): Promise<void> {
    return this.#rounds.runNow();
  }

  /** The next round writes the member's witness. */
  writeAgain(place: WitnessPlace): void {
    this.#due.add(keyOf(place));
  }

  /** The witness on a member, as the last round knew it; null if none was written yet. */
  statusOf(clusterId: string, memberName: string): WitnessStatus | null {
    const row = this.#recorded.find((each) => isOf(each, clusterId, memberName));
    const failing = this.#failing.has(keyOf({ clusterId, memberName }));
    if (row === undefined && !failing) return null;
    return { epoch: row?.epoch ?? 0, writtenDate: row?.writtenDate ?? null, failing };
  }

  async beforeDestruction(cluster: HsmCluster): Promise<void> {
    await this.#requireNoFinding();
    const epoch = await this.#options.catalog.raiseEpoch(this.#options.core.clock.now(), 0);
    const behind = await this.#membersBehind(cluster, epoch);
    if (behind.length < (await openMembers(cluster)).length) return;
    const written = await Promise.allSettled(behind.map((memberName) => this.#write(cluster, memberName)));
    if (written.some(({ status }) => status === 'fulfilled')) return;
    const cause = written.find((outcome) => outcome.status === 'rejected')?.reason as unknown;
    throw unwritten(cluster.clusterId, cause);
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { guard, catalog, core, clusterIds } = this.#options;
    if ((await guard.lookForFinding()) !== undefined) return;
    const epoch = await catalog.raiseEpoch(core.clock.now(), this.#minPauseMs);
    // A catalog without a change has nothing to lose.
    if (epoch.epoch === 0) return;
    for (const clusterId of clusterIds()) {
      if (signal.aborted) return;
      const cluster = core.keyStores.connectedCluster(clusterId);
      if (cluster !== undefined) await this.#refresh(cluster, epoch);
    }
    this.#recorded = await catalog.listMemberWitnesses();
  }

  async #refresh(cluster: HsmCluster, epoch: CatalogEpoch): Promise<void> {
    if ((await this.#membersBehind(cluster, epoch)).length === 0) return;
    await underLease(this.#options.leases, `witness/${cluster.clusterId}`, async () => {
      // Another process may have written them meanwhile.
      const behind = await this.#membersBehind(cluster, epoch);
      await Promise.allSettled(behind.map((memberName) => this.#write(cluster, memberName)));
    });
  }

  /** The open members that have no witness of this epoch, as far as the catalog knows. */
  async #membersBehind(cluster: HsmCluster, { epoch }: CatalogEpoch): Promise<string[]> {
    const recorded = await this.#options.catalog.listMemberWitnesses();
    const isCurrent = (memberName: string): boolean =>
      !this.#due.has(keyOf({ clusterId: cluster.clusterId, memberName })) &&
      recorded.some((row) => isOf(row, cluster.clusterId, memberName) && row.epoch >= epoch);
    return (await openMembers(cluster)).filter((memberName) => !isCurrent(memberName));
  }

  async #write(cluster: HsmCluster, memberName: string): Promise<void> {
    const place = { clusterId: cluster.clusterId, memberName };
    try {
      await this.#replace(cluster, memberName);
      this.#due.delete(keyOf(place));
      this.#options.onRefreshed(place, undefined, this.#failing.delete(keyOf(place)));
    } catch (error) {
      const isNews = !this.#failing.has(keyOf(place));
      this.#failing.add(keyOf(place));
      this.#options.onRefreshed(place, toHoldfastError(error), isNews);
      throw error;
    }
  }

  /** Looks at what is there first: another catalog may use the HSMs at the same time as this one. */
  async #replace(cluster: HsmCluster, memberName: string): Promise<void> {
    const { catalog, guard, core } = this.#options;
    const place = { clusterId: cluster.clusterId, memberName };
    const call = () => ({ deadlineMs: core.clock.monotonicMs() + this.#callTimeoutMs });
    const found = await cluster.perform('readWitnesses', { memberName }, call());
    const problem = await guard.judge(place, found);
    if (problem !== undefined) throw new HoldfastError('KMS_INTERNAL', problem, { retryable: false });
    // Accepting a rollback has made another incarnation.
    const { incarnationId, epoch } = await catalog.readEpoch();
    const writtenDate = core.clock.now();
    const epochDate = (await catalog.findEpochDate(epoch)) ?? writtenDate;
    const witness = { incarnationId, epoch, epochDate, deployment: deploymentName(core.identity) };
    await cluster.perform('writeWitness', { memberName, witness }, call());
    await catalog.recordMemberWitness({ ...place, epoch, writtenDate });
  }

  async #requireNoFinding(): Promise<void> {
    const problem = await this.#options.guard.lookForFinding();
    if (problem !== undefined) throw new HoldfastError('KMS_INTERNAL', problem, { retryable: false });
  }
}

function openMembers(cluster: HsmCluster): Promise<string[]> {
  return cluster.perform('listOpenMembers', {}, { deadlineMs: Number.POSITIVE_INFINITY });
}

function keyOf({ clusterId, memberName }: WitnessPlace): string {
  return `${clusterId}/${memberName}`;
}

function isOf(row: MemberWitness, clusterId: string, memberName: string): boolean {
  return row.clusterId === clusterId && row.memberName === memberName;
}

function unwritten(clusterId: string, cause: unknown): HoldfastError {
  const message = `No member of cluster ${clusterId} could be given a witness of the catalog, so nothing is destroyed on it.`;
  return new HoldfastError('KMS_INTERNAL', message, { retryable: true, cause });
}
