import type { Clock } from '../clock.js';
import type { MaintenanceCatalog } from '../clusters/maintenance.js';
import { HoldfastError } from '../errors.js';
import type { ClusterStatus, ConfiguredHsmClusters } from '../hsm/clusters.js';
import type { LoadWatch } from '../jobs/load-watch.js';
import type { Reconciler } from '../jobs/reconciler.js';
import { PeriodicJob } from '../jobs/periodic-job.js';
import type { MemberReconciliation, Reconciliation } from '../jobs/reconciliation.js';
import type { BackgroundErrorListener } from '../keys/core.js';
import { keySpecsWith } from '../keys/key-specs.js';
import type {
  ClusterAdministration,
  ClusterReport,
  MemberReconciliationReport,
  MemberReport,
  ReconciliationReport,
  TokenReport,
} from '../operations/clusters/cluster-administration.js';
import { type MemberKnowledge, memberStatus } from './member-status.js';

/** The parts that know and change the clusters. */
export interface ClusterParts {
  configuredClusters: Pick<ConfiguredHsmClusters, 'list' | 'status' | 'drainMember' | 'returnMember'>;
  reconciler: Pick<Reconciler, 'check' | 'reconcile' | 'lastResult'>;
  loads: Pick<LoadWatch, 'memberLoad' | 'capacityOf'>;
  maintenance: MaintenanceCatalog;
  members: MemberKnowledge;
  clock: Clock;
  onBackgroundError: BackgroundErrorListener;
}

/** How soon this process drains a member that another one has drained. */
const followingMs = 2_000;

/** How long a member has to end its work when another process has drained it. */
const drainTimeoutMs = 30_000;

/** The clusters of this process, for operators. */
export class ConfiguredClusterAdministration implements ClusterAdministration {
  readonly #parts: ClusterParts;
  /** The comparisons that an operator began and that are under way. */
  readonly #running = new Map<string, ReconciliationReport>();
  /** The last of them, if the reconciler has no result of it: it failed, or the cluster has no replication. */
  readonly #ended = new Map<string, ReconciliationReport>();
  /** They still serve, and count no more: two drains at once must not take out the last two members. */
  readonly #beingDrained = new Set<{ clusterId: string; memberName: string }>();
  readonly #following: PeriodicJob;

  constructor(parts: ClusterParts) {
    this.#parts = parts;
    const { clock, onBackgroundError } = parts;
    const round = (): Promise<void> => this.#follow();
    this.#following = new PeriodicJob({
      ...{ clock, onBackgroundError, round },
      intervalMs: followingMs,
      name: 'following the maintenance of members',
    });
  }

  start(): void {
    this.#following.start();
  }

  stop(): Promise<void> {
    return this.#following.stop();
  }

  reports(): ClusterReport[] {
    const { configuredClusters } = this.#parts;
    const statuses = new Map(configuredClusters.status().map((status) => [status.clusterId, status]));
    return configuredClusters.list().map(({ clusterId, name, replication, trust, minimumMembers }) => {
      const status = statuses.get(clusterId);
      return {
        ...{ clusterId, name, replication, trust, minimumMembers },
        connected: status?.members.some(({ breaker }) => breaker !== undefined) ?? false,
        generation: status?.generation,
        members: status?.members.map((member) => this.#memberReport(clusterId, member)) ?? [],
        reconciliation: this.#reconciliationOf(clusterId),
        capacity: this.#parts.loads.capacityOf(clusterId),
      };
    });
  }

  async drain(place: { clusterId: string; memberName: string }, force: boolean, deadlineMs: number): Promise<void> {
    const { maintenance, clock } = this.#parts;
    if (!force) this.#requireAnother(place);
    this.#beingDrained.add(place);
    try {
      await maintenance.recordDrainedMember({ ...place, drainedDate: clock.now() });
      await this.#drainHere(place, deadlineMs);
    } finally {
      this.#beingDrained.delete(place);
    }
  }

  async resume(place: { clusterId: string; memberName: string }): Promise<void> {
    const { maintenance, configuredClusters } = this.#parts;
    await maintenance.forgetDrainedMember(place.clusterId, place.memberName);
    configuredClusters.returnMember(place);
  }

  /** Does here what another process has recorded. */
  async #follow(): Promise<void> {
    const { maintenance, configuredClusters, clock } = this.#parts;
    const recorded = await maintenance.listDrainedMembers();
    for (const { clusterId, members } of configuredClusters.status()) {
      for (const { name: memberName, isDrained } of members) {
        const isWanted = recorded.some((each) => each.clusterId === clusterId && each.memberName === memberName);
        if (isWanted && !isDrained)
          await this.#drainHere({ clusterId, memberName }, clock.monotonicMs() + drainTimeoutMs);
        if (!isWanted && isDrained) configuredClusters.returnMember({ clusterId, memberName });
      }
    }
  }

  startReconciling(clusterId: string, dryRun: boolean): void {
    const { clock, configuredClusters, reconciler, onBackgroundError } = this.#parts;
    const report = { ...unfinished, startTime: clock.now(), dryRun, members: new Array<MemberReconciliationReport>() };
    this.#running.set(clusterId, report);
    const request: Parameters<Reconciler['reconcile']>[1] = {
      dryRun,
      onProgress: ({ memberName, tried, missing }) => {
        const others = report.members.filter(({ name }) => name !== memberName);
        report.members = [...others, { name: memberName, missing, copied: tried }];
      },
    };
    // Without replication nothing can be copied: keys that the catalog does not know are all there is to find.
    const isReplicated = configuredClusters
      .list()
      .some((each) => each.clusterId === clusterId && each.replication !== 'none');
    const work = isReplicated ? reconciler.reconcile(clusterId, request) : reconciler.check(clusterId);
    work
      .then((result) => {
        if (result === undefined) this.#ended.set(clusterId, { ...report, endTime: clock.now() });
        else this.#ended.delete(clusterId);
      })
      .catch((error: unknown) => {
        onBackgroundError(error, `reconciling cluster ${clusterId}`);
        this.#ended.set(clusterId, { ...report, endTime: clock.now(), failure: messageFor(error) });
      })
      .finally(() => {
        if (this.#running.get(clusterId) === report) this.#running.delete(clusterId);
      });
  }

  #requireAnother({ clusterId, memberName }: { clusterId: string; memberName: string }): void {
    const cluster = this.reports().find((each) => each.clusterId === clusterId);
    const serving = cluster?.members.filter(({ state }) => state === 'SERVING') ?? [];
    if (!serving.some(({ name }) => name === memberName)) return;
    const leaving = [...this.#beingDrained].filter((each) => each.clusterId === clusterId);
    const others = serving.filter(
      ({ name }) => name !== memberName && !leaving.some((each) => each.memberName === name),
    );
    if (others.some(({ missingMaterials }) => missingMaterials === 0)) return;
    const reason =
      others.length === 0
        ? `Member ${memberName} is the only one of its cluster that takes work.`
        : `No other member of the cluster has all keys; holdfast cluster reconcile ${clusterId} copies them.`;
    throw new HoldfastError(
      'CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION',
      `${reason} Use force to drain it nevertheless: then calls fail until it is back.`,
      { retryable: false },
    );
  }

  /** A call that hangs keeps its lane, not the member: it is out of service anyway. */
  async #drainHere(place: { clusterId: string; memberName: string }, deadlineMs: number): Promise<void> {
    try {
      await this.#parts.configuredClusters.drainMember(place, deadlineMs);
    } catch (error) {
      const message = `Member ${place.memberName} takes no more work, but a call still hangs in its module.`;
      throw new HoldfastError('DEPENDENCY_TIMEOUT', message, { cause: error, retryable: false });
    }
  }

  #memberReport(clusterId: string, member: ClusterStatus['members'][number]): MemberReport {
    const { seen, generation } = member;
    const { witness, ...status } = memberStatus(clusterId, member, this.#parts.members);
    return {
      ...status,
      // An answer has no null: the field is left out.
      witness: witness ?? undefined,
      token: seen && tokenReport(seen.token),
      keySpecs: keySpecsWith(seen?.token.mechanisms ?? []),
      profile: seen?.profile,
      generation,
      ...this.#parts.loads.memberLoad(clusterId, member.name),
    };
  }

  #reconciliationOf(clusterId: string): ReconciliationReport | undefined {
    const last = this.#parts.reconciler.lastResult(clusterId);
    return this.#running.get(clusterId) ?? this.#ended.get(clusterId) ?? (last && reportOf(last));
  }
}

const unfinished = { endTime: undefined, copiedElsewhere: false, failure: undefined };

/** Only our own errors have messages for callers. */
function messageFor(error: unknown): string {
  return error instanceof HoldfastError ? error.message : 'It failed; the log has the cause.';
}

function tokenReport({ label, serialNumber, manufacturer, model, firmwareVersion }: TokenReport): TokenReport {
  return { label, serialNumber, manufacturer, model, firmwareVersion };
}

function reportOf({ finishedDate, dryRun, copiedElsewhere, members }: Reconciliation): ReconciliationReport {
  const compared = members.filter((member) => member.compared).map(memberReport);
  return {
    startTime: undefined,
    endTime: finishedDate,
    dryRun,
    copiedElsewhere,
    failure: undefined,
    members: compared,
  };
}

function memberReport(member: MemberReconciliation): MemberReconciliationReport {
  const { memberName: name, present, missing, copied, failed } = member;
  return {
    ...{ name, present, missing, copied, failed },
    unaccounted: member.unknownMaterialIds.length,
    duplicates: member.duplicateMaterialIds.length,
    drifted: member.driftedMaterialIds.length,
  };
}
