import type { NativeTokenInfo } from '../native.js';
import type { VendorProfile } from './profile.js';

/** Our sessions besides those of the lanes: one keeps the login alive, one reads inventories. */
const otherSessions = 2;

type SessionCounts = Pick<NativeTokenInfo, 'maxSessionCount' | 'maxRwSessionCount' | 'sessionCount' | 'rwSessionCount'>;

/**
 * How many lanes a member may grow to: the configured number, or else the profile's recommendation. The token's maximum
 * number of sessions (PKCS#11 v2.40 §3.2, CK_TOKEN_INFO), less those of other programs and a reserve for them, bounds
 * it. At least one.
 * @param token as it was before our first session
 */
export function planLanes(profile: VendorProfile, token: SessionCounts, configured: number | null): number {
  const wanted = configured ?? profile.recommendedLanes.value;
  const room = Math.min(
    free(token.maxSessionCount ?? profile.maximumSessions.value, token.sessionCount),
    // All of ours are read-write: lanes also make and destroy keys.
    free(token.maxRwSessionCount, token.rwSessionCount),
  );
  return Math.max(1, Math.min(wanted, room - profile.sessionHeadroom.value - otherSessions));
}

function free(most: number | null, open: number | null): number {
  return most === null ? Number.POSITIVE_INFINITY : most - (open ?? 0);
}
