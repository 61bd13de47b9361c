import type { ClusterCapacity } from '../clusters/capacity.js';
import type { MemberLoad } from '../clusters/load-meter.js';
import type { ClusterStatus } from '../hsm/clusters.js';
import type { HedgeListener } from '../hsm/hedging.js';
import type { FinishedAttempt, AttemptListener } from '../hsm/attempts.js';
import type { Metrics } from './metrics.js';

const breakerStates = ['closed', 'open', 'half-open'] as const;

const timeouts: ReadonlySet<string> = new Set(['queue-deadline', 'overdue', 'lane-deadline']);

/** Counts every attempt of every operation. */
export function tryCounter(metrics: Metrics): AttemptListener {
  const { hsmFailures } = metrics.counters;
  const { hsmOperationDuration, hsmQueueWait, hsmLaneDuration } = metrics.histograms;
  return (finished) => {
    const { clusterId, memberName = 'none', operation, durationMs, lane, failure } = finished;
    const where = { cluster: metrics.cluster(clusterId), member: memberName, operation };
    hsmOperationDuration.observe({ ...where, outcome: outcomeOf(finished) }, durationMs / 1_000);
    if (lane !== undefined) {
      hsmQueueWait.observe(where, lane.waitMs / 1_000);
      hsmLaneDuration.observe(where, lane.workMs / 1_000);
    }
    if (failure === undefined) return;
    hsmFailures.inc({ ...where, kind: failure.kind, return_value: failure.returnValue ?? 'none' });
  };
}

/** Counts the hedges of a cluster. */
export function hedgeCounter(metrics: Metrics): (clusterId: string) => HedgeListener {
  const { hsmHedgesSent, hsmHedgesWon } = metrics.counters;
  return (clusterId) => {
    const cluster = metrics.cluster(clusterId);
    return (operation, what) => (what === 'sent' ? hsmHedgesSent : hsmHedgesWon).inc({ cluster, operation });
  };
}

/**
 * The class of an attempt's failure. The CK_RV itself labels only the counter of failures: as a label of a histogram it
 * would multiply its series.
 */
function outcomeOf({
  failure,
}: FinishedAttempt): 'ok' | 'caller-fault' | 'timeout' | 'cancelled' | 'token-error' | 'material' | 'unavailable' {
  if (failure === undefined) return 'ok';
  if (failure.classification.callerFault) return 'caller-fault';
  if (timeouts.has(failure.kind)) return 'timeout';
  if (failure.kind === 'cancelled') return 'cancelled';
  if (failure.kind === 'rv') return 'token-error';
  return failure.classification.alert === null ? 'unavailable' : 'material';
}

/** Shows the present state of the clusters. A member that is not open has only zeroes. */
export function showClusters(metrics: Metrics, clusters: readonly ClusterStatus[]): void {
  const { gauges } = metrics;
  const isStuck = clusters.some(({ members }) => members.some((member) => member.isStuck));
  gauges.processWornOut.set(isStuck ? 1 : 0);
  for (const { clusterId, minimumMembers, members } of clusters) {
    gauges.hsmMinimumMembers.set({ cluster: metrics.cluster(clusterId) }, minimumMembers);
    for (const { name, breaker, statistics, missingMaterials, generation = 0 } of members) {
      const place = { cluster: metrics.cluster(clusterId), member: name };
      gauges.hsmMemberAdmitted.set(place, statistics?.admitted === true ? 1 : 0);
      for (const state of breakerStates) gauges.hsmMemberBreaker.set({ ...place, state }, breaker === state ? 1 : 0);
      const { lanes = 0, running = 0, quarantinedLanes = 0 } = statistics ?? {};
      gauges.hsmLanes.set({ ...place, state: 'idle' }, Math.max(0, lanes - running));
      gauges.hsmLanes.set({ ...place, state: 'busy' }, running);
      gauges.hsmLanes.set({ ...place, state: 'quarantined' }, quarantinedLanes);
      gauges.hsmQueued.set(place, statistics?.queued ?? 0);
      gauges.hsmSessionEpoch.set(place, statistics?.epoch ?? 0);
      gauges.hsmCachedHandles.set(place, statistics?.cachedHandles ?? 0);
      gauges.hsmMissingMaterials.set(place, missingMaterials);
      gauges.hsmGeneration.set(place, generation);
    }
  }
}

/** The load of members, and when clusters reach their ceiling. Series of what is not known are removed. */
export function showLoads(metrics: Metrics, clusters: readonly ClusterStatus[], loads: Loads): void {
  const { hsmOperationsPerSecond, hsmUtilisation, hsmCeiling, hsmLimitTime } = metrics.gauges;
  hsmCeiling.reset();
  hsmLimitTime.reset();
  for (const { clusterId, members } of clusters) {
    const cluster = metrics.cluster(clusterId);
    for (const { name: member } of members) {
      const { operationsPerSecond, utilisation, ceiling } = loads.memberLoad(clusterId, member);
      hsmOperationsPerSecond.set({ cluster, member }, operationsPerSecond);
      hsmUtilisation.set({ cluster, member }, utilisation);
      if (ceiling !== undefined) hsmCeiling.set({ cluster, member }, ceiling);
    }
    const limitDate = loads.capacityOf(clusterId)?.limitDate;
    if (limitDate !== undefined) hsmLimitTime.set({ cluster }, limitDate.getTime() / 1_000);
  }
}

/** What was measured of the clusters; implemented by `jobs/load-watch.ts`. */
export interface Loads {
  memberLoad(clusterId: string, memberName: string): MemberLoad;
  capacityOf(clusterId: string): Pick<ClusterCapacity, 'limitDate'> | undefined;
}
