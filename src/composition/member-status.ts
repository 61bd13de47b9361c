import type { ClusterStatus } from '../hsm/clusters.js';
import type { MemberState, MemberStatus, WitnessStatus } from '../status/service-status.js';

/** What the service's own acts know of a member. */
export interface MemberKnowledge {
  /** Keys on its token that the catalog does not know. */
  unaccountedMaterials(clusterId: string, memberName: string): number;
  /** The witness of the catalog on it. */
  witnessOf(clusterId: string, memberName: string): WitnessStatus | null;
}

/** A member as GetStatus and DescribeClusters show it. */
export function memberStatus(
  clusterId: string,
  member: ClusterStatus['members'][number],
  known: MemberKnowledge,
): MemberStatus {
  const { lanes = 0, running = 0, quarantinedLanes = 0, queued = 0 } = member.statistics ?? {};
  const unaccountedMaterials = known.unaccountedMaterials(clusterId, member.name);
  const counts = { lanes, busyLanes: running, quarantinedLanes, queuedOperations: queued, unaccountedMaterials };
  const { name, missingMaterials, generation = null } = member;
  const witness = known.witnessOf(clusterId, name);
  return { name, state: memberState(member), ...counts, missingMaterials, generation, witness };
}

function memberState(member: ClusterStatus['members'][number]): MemberState {
  const { breaker, isOpen, statistics, isStuck, isDrained } = member;
  if (isDrained) return 'DRAINED';
  if (isStuck) return 'STUCK';
  if (breaker === undefined) return 'CLOSED';
  if (!isOpen) return 'AWAY';
  if (breaker === 'half-open') return 'PROBING';
  return breaker === 'closed' && statistics?.admitted === true ? 'SERVING' : 'SUSPENDED';
}
