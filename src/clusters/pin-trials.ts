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

/** The member that did not accept a PIN, and why. */
export interface PinTrialFailure {
  memberName: string;
  /** `INVALID_CREDENTIALS`: its token refused the PIN. Anything else says nothing of the PIN. */
  errorCode: ConnectionErrorCode;
  /** Whether the cause may pass without an operator. */
  transient: boolean;
  /** For the log. */
  cause: unknown;
}
