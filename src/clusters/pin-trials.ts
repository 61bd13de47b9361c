import type { Secret } from '../secret.js';
import type { ConnectionErrorCode } from './hsm-cluster.js';

/** The port to trials of a PIN that leave the cluster's connection, and the logins of this process, as they are. */
export interface PinTrials {
  /**
   * Logs in to the members of a cluster with this PIN, one after the other, once each, and stops at the first that does
   * not accept it: a wrong PIN costs one member one login. One that a token refused before under this name costs none.
   * @param credentialVersion the name of the PIN in the record of attempts; it reveals nothing of it
   * @returns undefined if every member accepts it
   */
  tryPin(
    clusterId: string,
    pin: Secret,
    credentialVersion: string,
    deadlineMs: number,
  ): Promise<PinTrialFailure | undefined>;
}

/** A PIN, and its name in the record of attempts. */
export interface NamedPin {
  pin: Secret;
  credentialVersion: string;
}

/** The port to changes of PINs on tokens. */
export interface PinChanges {
  /** Logs in to one member once, as `PinTrials` does. @returns undefined if it accepts the PIN */
  tryPinOn(place: MemberPlace, pin: NamedPin, deadlineMs: number): Promise<PinTrialFailure | undefined>;
  /**
   * Logs in to one member with its present PIN and calls C_SetPIN (PKCS#11 v2.40 §5.5), in a process of its own. Until
   * that has ended, nothing else that respects the module's lock logs in.
   * @param beforeChange called when the token has accepted the present PIN, just before C_SetPIN. If it rejects, the PIN
   *   is not changed
   * @returns undefined if C_SetPIN answered CKR_OK. That the token has the new PIN is shown by a login only.
   */
  changePin(
    place: MemberPlace,
    change: { present: NamedPin; next: Secret; beforeChange: () => Promise<void> },
    deadlineMs: number,
  ): Promise<PinTrialFailure | undefined>;
}

/** One member of a cluster. */
export interface MemberPlace {
  clusterId: string;
  memberName: string;
}

/** The member that did not accept a PIN, and why. */
export interface PinTrialFailure {
  memberName: string;
  /** Only `INVALID_CREDENTIALS` says something of the PIN: it was refused, has expired, or an attempt was lost. */
  errorCode: ConnectionErrorCode;
  /** Its token has judged the PIN, and refused it: it has another one. */
  isWrongPin: boolean;
  /** Whether the cause may pass without an operator. */
  transient: boolean;
  /** For the log. */
  cause: unknown;
}
