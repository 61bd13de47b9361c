import { onAccount } from '../operation.js';
import type { ClusterAdministration } from './cluster-administration.js';
import { type MemberRequest, requireMember } from './configured-cluster.js';

/** Takes a member out of service. */
export interface DrainMemberRequest extends MemberRequest {
  /** Even if no other member takes work. */
  force?: boolean | undefined;
}

/**
 * Resolves once the member has neither work nor sessions in this process.
 * @throws CLOUD_HSM_CLUSTER_NOT_FOUND, CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION (no such member, or no other one takes
 *   work)
 */
async function drainMember(
  clusters: ClusterAdministration,
  request: DrainMemberRequest,
  deadlineMs: number,
): Promise<Record<string, never>> {
  requireMember(clusters, request);
  await clusters.drain(request, request.force === true, deadlineMs);
  return {};
}

/** The descriptor of DrainMember, with its function. */
export const drainMemberOperation = onAccount<DrainMemberRequest>({
  plane: 'control',
  audited: ['clusterId', 'memberName', 'force'],
  action: 'holdfast:DrainMember',
  run: ({ clusters }, { request }, { deadlineMs }) => drainMember(clusters, request, deadlineMs),
});
