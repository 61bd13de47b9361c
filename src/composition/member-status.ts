import type { ClusterStatus } from '../hsm/clusters.js';
import type { MemberState, MemberStatus } from '../status/service-status.js';

/** A member as GetStatus and DescribeClusters show it. @param unaccountedMaterials keys on its token that the catalog does not know */
export function memberStatus(member: ClusterStatus['members'][number], unaccountedMaterials: number): MemberStatus {
  const { lanes = 0, running = 0, quarantinedLanes = 0, queued = 0 } = member.statistics ?? {};
  const counts = { lanes, busyLanes: running, quarantinedLanes, queuedOperations: queued, unaccountedMaterials };
  const { name, missingMaterials, generation = null } = member;
  return { name, state: memberState(member), ...counts, missingMaterials, generation };
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
