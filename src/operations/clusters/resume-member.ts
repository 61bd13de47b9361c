import { onAccount } from '../operation.js';
import type { ClusterAdministration } from './cluster-administration.js';
import { type MemberRequest, requireMember } from './configured-cluster.js';

/**
 * Ends the maintenance of a member and answers at once.
 * @throws CLOUD_HSM_CLUSTER_NOT_FOUND, CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION (no such member)
 */
async function resumeMember(clusters: ClusterAdministration, request: MemberRequest): Promise<Record<string, never>> {
  requireMember(clusters, request);
  await clusters.resume(request);
  return {};
}

/** The descriptor of ResumeMember, with its function. */
export const resumeMemberOperation = onAccount<MemberRequest>({
  plane: 'control',
  audited: ['clusterId', 'memberName'],
  action: 'holdfast:ResumeMember',
  run: ({ clusters }, { request }) => resumeMember(clusters, request),
});
