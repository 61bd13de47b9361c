import type { ClusterAdministration, ClusterReport } from './cluster-administration.js';
import { HoldfastError } from '../../errors.js';

/** The cluster of that id. @throws CLOUD_HSM_CLUSTER_NOT_FOUND */
export function configuredCluster(clusters: ClusterAdministration, clusterId: string): ClusterReport {
  const found = clusters.reports().find((cluster) => cluster.clusterId === clusterId);
  if (found !== undefined) return found;
  throw new HoldfastError('CLOUD_HSM_CLUSTER_NOT_FOUND', `The configuration has no cluster '${clusterId}'.`);
}

/** The request of an operation on one member. */
export interface MemberRequest {
  clusterId: string;
  memberName: string;
}

/** @throws CLOUD_HSM_CLUSTER_NOT_FOUND, or CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION if the cluster has no such member */
export function requireMember(clusters: ClusterAdministration, { clusterId, memberName }: MemberRequest): void {
  const { members, name } = configuredCluster(clusters, clusterId);
  if (members.some((member) => member.name === memberName)) return;
  const known = members.map((member) => member.name).join(', ');
  throw new HoldfastError(
    'CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION',
    `Cluster ${name} has no member '${memberName}'; its members are ${known}.`,
    { retryable: false },
  );
}
