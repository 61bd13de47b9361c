/** Sealed PINs of key stores: which one a member has, and what it is called. */
import { Secret } from '../secret.js';
import type { PasswordSealer } from './catalog.js';
import { credentialVersionOf, type PasswordPlace, unsealPassword } from './password.js';
import type { PinRotation } from './pin-rotation.js';
import type { StoreRecord } from './store.js';

/** A sealed PIN and the key store that it is bound to. The default key store has the id of its cluster. */
export type SealedPin = PasswordPlace & Pick<StoreRecord, 'password'>;

/** A PIN, and its name for `LoginAttempts`. */
export interface UnsealedPin {
  pin: Secret;
  credentialVersion: string;
}

/**
 * The PIN that a member has. `uncertain`: either could be refused, so none is tried until the rotation has found out.
 * @param present the key store's; an older rotation is over
 */
export function pinOfMember(
  present: SealedPin,
  rotation: PinRotation | undefined,
  memberName: string,
): SealedPin | 'uncertain' {
  if (rotation === undefined || rotation.passwordVersion <= present.passwordVersion) return present;
  const phase = rotation.members.find((member) => member.memberName === memberName)?.phase ?? 'old';
  if (phase === 'changing' || phase === 'lost') return 'uncertain';
  return phase === 'new' ? rotation : present;
}

/** @throws if its sealing key is not configured, or the sealed bytes are broken */
export function unsealedPin(sealer: PasswordSealer, sealed: SealedPin): UnsealedPin {
  return { pin: new Secret(unsealPassword(sealer, sealed)), credentialVersion: credentialVersionOf(sealed) };
}
