import type { MemberPlace } from './events.js';
import type { MemberCredential } from './login.js';
import { MemberOpenError } from './member-open-error.js';

/** Where the credential of a member is found anew at each login. */
export interface PresentCredentials {
  /**
   * The credential of a member as it is now. `uncertain`: its PIN is being changed, and none is tried. Undefined: that of
   * the connect still holds. Left out: it always holds.
   */
  presentCredential?: ((place: MemberPlace) => Promise<MemberCredential | 'uncertain' | undefined>) | undefined;
}

/**
 * The credential for a member's next login.
 * @param connected that of the connect; its PIN is destroyed when the cluster is disconnected
 * @throws MemberOpenError
 */
export async function credentialFor(
  { presentCredential }: PresentCredentials,
  place: MemberPlace,
  { pin, credentialVersion }: MemberCredential,
): Promise<MemberCredential> {
  const present = await presentCredential?.(place);
  if (present === 'uncertain') throw uncertain(place);
  if (present !== undefined) return present;
  if (pin.isDestroyed) throw new MemberOpenError('INTERNAL_ERROR', true, 'The cluster was disconnected meanwhile.');
  return { pin: pin.share(), credentialVersion };
}

function uncertain({ memberName }: MemberPlace): MemberOpenError {
  const message = `The PIN of member ${memberName} is being changed; none is tried until it is known which one it has.`;
  return new MemberOpenError('NETWORK_ERRORS', true, message);
}
