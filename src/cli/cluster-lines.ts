/** The output of `holdfast cluster describe` for people: a paragraph for each cluster, a line for each member. */
import type {
  Cluster,
  ClusterMember,
  MemberReconciliation,
  Reconciliation,
} from '../faces/grpc/gen/holdfast/admin/v1/cluster_service.js';
import { printableJsonLine } from '../printable.js';
import { withoutEnumPrefix } from './proto-json.js';

/** The lines, without line breaks. */
export function clusterLines(clusters: readonly Cluster[]): string[] {
  return clusters.flatMap((cluster, index) => [...(index === 0 ? [] : ['']), ...linesOf(cluster)]);
}

function linesOf(cluster: Cluster): string[] {
  const { clusterId, name, connected, generation, minimumMembers, members, reconciliation } = cluster;
  const replication = withoutEnumPrefix('replication', cluster.replication ?? 'REPLICATION_NONE').toLowerCase();
  const keys = generation === undefined ? '' : `, wrapping keys of generation ${generation}`;
  const words = `${name} (${clusterId}): ${connected === true ? 'connected' : 'not connected'}, replication ${replication}`;
  return [
    `${words}, at least ${minimumMembers} of ${members.length} members for a new key${keys}`,
    ...members.map((member) => `  ${memberLine(member)}`),
    ...(reconciliation === undefined ? [] : reconciliationLines(reconciliation)),
  ];
}

function memberLine(member: ClusterMember): string {
  const { name, token, lanes, busyLanes, quarantinedLanes, queuedOperations } = member;
  const state = withoutEnumPrefix('member_state', member.state ?? 'MEMBER_STATE_CLOSED');
  const work = `${lanes} lanes, ${busyLanes} busy, ${quarantinedLanes} hung, ${queuedOperations} queued`;
  const seen =
    token === undefined
      ? []
      : [`token ${printableJsonLine(token.serialNumber ?? '')}, ${token.model}, firmware ${token.firmwareVersion}`];
  return [`${name}: ${state}, ${work}`, ...seen, ...keyWords(member)].join('; ');
}

function keyWords({ generation, missingMaterials = 0, unaccountedMaterials = 0 }: ClusterMember): string[] {
  return [
    ...(generation === undefined ? [] : [`generation ${generation}`]),
    ...(missingMaterials === 0 ? [] : [`lacks ${missingMaterials} keys`]),
    ...(unaccountedMaterials === 0 ? [] : [`${unaccountedMaterials} keys that the catalog does not know`]),
  ];
}

/** What a comparison has found, or how far it is. */
export function reconciliationLines(reconciliation: Reconciliation): string[] {
  const { endTime, dryRun, copiedElsewhere, failure, members } = reconciliation;
  const when = endTime === undefined ? 'is being compared with the catalog' : `compared ${endTime.toISOString()}`;
  const how = [
    ...(dryRun === true ? ['nothing was copied (dry run)'] : []),
    ...(copiedElsewhere === true ? ['another process copies'] : []),
    ...(failure === undefined ? [] : [`it failed: ${printableJsonLine(failure)}`]),
  ];
  return [`  ${[when, ...how].join('; ')}`, ...members.map((member) => `    ${comparisonLine(member)}`)];
}

function comparisonLine({ name, present, missing, copied, ...troubles }: MemberReconciliation): string {
  const shown = Object.entries(troubles).flatMap(([what, count]) =>
    typeof count === 'number' && count > 0 ? [`${count} ${what}`] : [],
  );
  const had = present === undefined ? [] : [`had ${present}`];
  return `${name}: ${[...had, `lacked ${missing}`, `${copied} copied`, ...shown].join(', ')}`;
}
