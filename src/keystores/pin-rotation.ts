/** The change of a key store's PIN on its members, as the catalog records it while it is under way. */
import type { PinTrialFailure } from '../clusters/pin-trials.js';
import type { DefaultPinRecord } from './default-pin-record.js';
import type { StoreRecord } from './store.js';

/**
 * The state of one member.
 * - `old`: its token has the store's present PIN.
 * - `changing`: recorded before C_SetPIN is called. Its token may have either PIN until a login has shown which.
 * - `new`: a login has shown that its token has the new PIN.
 * - `lost`: its token refused both. Neither is tried again: an operator sets the password of the store.
 */
export type PinPhase = 'old' | 'changing' | 'new' | 'lost';

/** One member of a rotation. */
export interface PinRotationMember {
  memberName: string;
  phase: PinPhase;
  /** How often its C_SetPIN was begun: each time the PINs may be tried once more. */
  round: number;
}

/**
 * Names a PIN, for `LoginAttempts`, that is tried on a member in phase `changing` to find out which one it has: in each round of
 * a rotation it may be tried once. A rotation that was given up leaves its version to the next one, so the version alone would
 * give a PIN the name of one that was refused.
 */
export function settledVersionOf(
  credentialVersion: string,
  { startedDate }: Pick<PinRotation, 'startedDate'>,
  round: number,
): string {
  return `${settledVersionStart(credentialVersion)}${startedDate.getTime()}:${round}`;
}

/** The start of these names, in all rotations and rounds. */
export function settledVersionStart(credentialVersion: string): string {
  return `${credentialVersion}:settled:`;
}

/**
 * A rotation that has begun and is not complete. It has the place of the store, and the version and the sealed form of
 * the new PIN. The store has the old PIN until all members have the new one. The default key store has the id of its cluster.
 */
export interface PinRotation
  extends Pick<StoreRecord, 'customKeyStoreId' | 'clusterId' | 'password' | 'passwordVersion'> {
  startedDate: Date;
  /** In the order of their names. */
  members: PinRotationMember[];
}

/**
 * The port to the record of rotations. An operator who sets the password of a store ends its rotation: that password is
 * then the PIN of all members.
 */
export interface PinRotationCatalog {
  /**
   * @param present the PIN that the default key store has, which is recorded too if no rotation did so before
   * @returns false if the store has a rotation, or no longer the version before that of the rotation: no rotation was begun
   */
  beginPinRotation(rotation: PinRotation, present?: DefaultPinRecord): Promise<boolean>;
  listPinRotations(): Promise<PinRotation[]>;
  /** Compare-and-set of a member's phase; `changing` begins another round. @returns whether `from` held. */
  changePinPhase(
    place: { customKeyStoreId: string; memberName: string },
    from: PinPhase,
    to: PinPhase,
  ): Promise<boolean>;
  /** Gives the store the new PIN and ends the rotation, if every member has it. @returns whether it did. */
  completePinRotation(customKeyStoreId: string): Promise<boolean>;
  /** Ends the rotation, if every member has the old PIN. @returns whether it did. */
  abandonPinRotation(customKeyStoreId: string): Promise<boolean>;
  /** As `KeyStoreCatalog.resealPassword`, for the new PIN of a rotation. */
  resealPinRotation(rotation: PinRotation, resealed: PinRotation['password']): Promise<boolean>;
}

/** The work on rotations. Implemented by `jobs/pin-rotation.ts`. */
export interface PinRotationWork {
  /**
   * Works on the rotation of a store until it is complete, or nothing more can be done now. One that no member has begun
   * is given up when a member refuses the change for good.
   * @returns why the first member that could not be changed was not
   * @throws CUSTOM_KEY_STORE_INVALID_STATE if another process works on it
   */
  advance(customKeyStoreId: string, deadlineMs: number): Promise<PinTrialFailure | undefined>;
}
