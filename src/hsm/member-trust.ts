/** An enforcing cluster takes no member that does not enforce trust: one such token gives away the keys of all. */
import type { ClusterDescription } from '../clusters/hsm-cluster.js';
import type { MemberPlace } from './events.js';
import { MemberOpenError } from './member-open-error.js';
import type { NativeTokenInfo } from './native.js';
import { effectiveProfile, type ProfileSetting } from './profiles/effective-profile.js';

/** A member, or its cluster, has not the trust that the configuration says. Only an operator can change that. */
export class MemberTrustError extends MemberOpenError {
  constructor({ clusterId, memberName }: MemberPlace, problem: string) {
    super('INTERNAL_ERROR', false, `Member ${memberName} of cluster ${clusterId} ${problem}`);
  }
}

/**
 * Called before anything is tried on the token.
 * @throws MemberTrustError for a token that does not enforce trust, unless its cluster says `trust: unenforced`
 */
export function requireTrust(
  place: MemberPlace,
  { replication, trust }: Pick<ClusterDescription, 'replication' | 'trust'>,
  setting: ProfileSetting,
  token: NativeTokenInfo,
): void {
  if (replication !== 'wrapped' || trust === 'unenforced') return;
  const { name, ceremony } = effectiveProfile(setting, token);
  if (ceremony.value !== 'unsupported') return;
  throw new MemberTrustError(
    place,
    `cannot be in a cluster that enforces trust: profile ${name}, ceremony unsupported (${ceremony.source}).`,
  );
}

/** The failure of a cluster whose wrapping keys were made with another trust than its configuration has. */
export function changedTrust(place: MemberPlace, generation: number, configured: string): MemberTrustError {
  const problem = `has generation ${generation} of wrapping keys, made with another trust than ${configured}: clusters[].trust never changes.`;
  return new MemberTrustError(place, problem);
}
