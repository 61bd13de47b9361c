/** The output of `holdfast cluster describe` for people: a paragraph for each cluster, a line for each member. */
import type {
  Cluster,
  ClusterBackup,
  ClusterCapacity,
  ClusterMember,
  MemberReconciliation,
  Reconciliation,
} from '../faces/grpc/gen/holdfast/admin/v1/cluster_service.js';
import type { MemberWitness } from '../faces/grpc/gen/holdfast/admin/v1/admin_service.js';
import { printableJsonLine } from '../printable.js';
import { withoutEnumPrefix } from './proto-json.js';

/** The lines, without line breaks. */
export function clusterLines(clusters: readonly Cluster[]): string[] {
  return clusters.flatMap((cluster, index) => [...(index === 0 ? [] : ['']), ...linesOf(cluster)]);
}

function linesOf(cluster: Cluster): string[] {
  const { clusterId, name, connected, generation, minimumMembers, members, reconciliation, trust } = cluster;
  const replication = withoutEnumPrefix('replication', cluster.replication ?? 'REPLICATION_NONE').toLowerCase();
  const isUnenforced = withoutEnumPrefix('trust', trust ?? 'TRUST_ENFORCED') === 'UNENFORCED';
  const ofVendor = replication === 'vendor' ? ' (copies and backup are the vendor’s)' : '';
  const keys = generation === undefined ? ofVendor : `, wrapping keys of generation ${generation}`;
  const words = `${name} (${clusterId}): ${connected === true ? 'connected' : 'not connected'}, replication ${replication}`;
  return [
    `${words}, at least ${minimumMembers} of ${members.length} members for a new key${keys}${isUnenforced ? ', trust: unenforced' : ''}`,
    ...members.map((member) => `  ${memberLine(member)}`),
    ...(cluster.backup === undefined ? [] : [backupLine(cluster.backup)]),
    ...(cluster.capacity === undefined ? [] : capacityLines(cluster.capacity)),
    ...(reconciliation === undefined ? [] : reconciliationLines(reconciliation)),
  ];
}

function backupLine({ backupId, startTime, generation, verification, verificationTime }: ClusterBackup): string {
  const verified =
    verificationTime === undefined
      ? 'never verified'
      : `verification ${withoutEnumPrefix('backup_verification', verification ?? '')} ${verificationTime.toISOString()}`;
  return `newest backup: ${backupId ?? ''} of ${startTime?.toISOString() ?? ''}, generation ${generation ?? ''}; ${verified}`;
}

function memberLine(member: ClusterMember): string {
  const { name, token, lanes, busyLanes, quarantinedLanes, queuedOperations } = member;
  const state = withoutEnumPrefix('member_state', member.state ?? 'MEMBER_STATE_CLOSED');
  const work = `${lanes} lanes, ${busyLanes} busy, ${quarantinedLanes} hung, ${queuedOperations} queued`;
  const seen =
    token === undefined
      ? []
      : [`token ${printableJsonLine(token.serialNumber ?? '')}, ${token.model}, firmware ${token.firmwareVersion}`];
  return [`${name}: ${state}, ${work}`, loadWords(member), ...seen, ...keyWords(member)].join('; ');
}

function loadWords({ operationsPerSecond = 0, utilisation = 0, ceiling }: ClusterMember | ClusterCapacity): string {
  const most = ceiling === undefined ? 'ceiling unknown' : `ceiling ${rate(ceiling)}/s`;
  return `${rate(operationsPerSecond)} operations/s, ${Math.round(100 * utilisation)} % busy, ${most}`;
}

/** The load of a cluster, and when it reaches its ceiling. */
function capacityLines(capacity: ClusterCapacity): string[] {
  const { days = 0, growthPerDay, limitDate, ceiling, withOneMore } = capacity;
  const lines = [`load: ${loadWords(capacity)}`];
  if (growthPerDay === undefined) lines.push(`forecast: from the seventh whole day on; there are ${days}`);
  else {
    const growth = `the daily peak grows by ${growthPerDay.toFixed(1)} operations/s a day (${days} days)`;
    const when = limitDate === undefined ? 'no limit is in sight' : `it reaches the ceiling on ${dayWords(limitDate)}`;
    lines.push(`forecast: ${growth}; ${ceiling === undefined ? 'the ceiling is unknown' : when}`);
  }
  if (withOneMore !== undefined) {
    const until = withOneMore.limitDate === undefined ? '' : `, until ${dayWords(withOneMore.limitDate)}`;
    lines.push(`one more member: ceiling ${rate(withOneMore.ceiling ?? 0)}/s${until}`);
  }
  return lines.map((line) => `  ${line}`);
}

function rate(operationsPerSecond: number): string {
  return operationsPerSecond < 10 ? operationsPerSecond.toFixed(1) : operationsPerSecond.toFixed(0);
}

function dayWords(date: Date): string {
  return date.toISOString().slice(0, 10);
}

function keyWords({ generation, missingMaterials = 0, unaccountedMaterials = 0, witness }: ClusterMember): string[] {
  return [
    ...(generation === undefined ? [] : [`generation ${generation}`]),
    ...(missingMaterials === 0 ? [] : [`lacks ${missingMaterials} keys`]),
    ...(unaccountedMaterials === 0 ? [] : [`${unaccountedMaterials} keys that the catalog does not know`]),
    ...(witness === undefined ? [] : [witnessWords(witness)]),
  ];
}

function witnessWords({ epoch = 0n, writtenDate, failing }: MemberWitness): string {
  const words = writtenDate === undefined ? 'no witness' : `witness of epoch ${epoch}, ${writtenDate.toISOString()}`;
  return failing === true ? `${words}, cannot be written` : words;
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
