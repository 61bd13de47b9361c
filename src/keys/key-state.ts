import { type ErrorCode, HoldfastError } from '../errors.js';
import { keyUnavailable } from '../keystores/key-stores.js';
import { willAllow } from '../keystores/connection-state.js';
import type { ConnectionState } from '../keystores/store.js';
import { type Eventual, whenKnown } from '../calls/eventual.js';
import { keyArn, recordArn } from './arn.js';
import type { KeysCore } from './core.js';
import type { KeyRecord, KeyState } from './key.js';
import { keyNotFound } from './not-found.js';

type Refusal = 'disabled' | 'pending-deletion' | 'not-pending-deletion' | 'unavailable';
type Verdict = 'allowed' | Refusal;
/** The verdict for each state in which a key may be when an operation uses it. */
export type KeyStates = Readonly<Record<KeyState, Verdict>>;

/**
 * The rows of the key state table (AWS KMS Developer Guide, "Key states of AWS KMS keys"), for the states that Holdfast
 * has. Each operation names its row; `registry.test.ts` compares them with the published table.
 */

/** Operations that use the key material. */
export const cryptographicUse: KeyStates = {
  Enabled: 'allowed',
  Disabled: 'disabled',
  PendingDeletion: 'pending-deletion',
  Unavailable: 'unavailable',
};
/** Operations that only read the key's record. */
export const everyState: KeyStates = {
  Enabled: 'allowed',
  Disabled: 'allowed',
  PendingDeletion: 'allowed',
  Unavailable: 'allowed',
};
/** Changes. Note 12: on an Unavailable key they succeed, and take effect once the store is connected again. */
export const unlessPendingDeletion: KeyStates = { ...everyState, PendingDeletion: 'pending-deletion' };
/** The row of CancelKeyDeletion. */
export const onlyPendingDeletion: KeyStates = {
  Enabled: 'not-pending-deletion',
  Disabled: 'not-pending-deletion',
  PendingDeletion: 'allowed',
  Unavailable: 'not-pending-deletion',
};

/** The notes under the table. The live service omits the guide's parenthesis ("or pending replica deletion"). */
const refusals: Readonly<Record<Exclude<Refusal, 'unavailable'>, { code: ErrorCode; sentence: string }>> = {
  disabled: { code: 'DISABLED', sentence: 'is disabled.' },
  'pending-deletion': { code: 'KMS_INVALID_STATE', sentence: 'is pending deletion.' },
  'not-pending-deletion': { code: 'KMS_INVALID_STATE', sentence: 'is not pending deletion.' },
};

/**
 * @param standing the state that callers see, and whether it is temporary
 * @throws DISABLED or KMS_INVALID_STATE when a key in this state does not allow the operation.
 */
export function checkKeyState(allowed: KeyStates, { state, isPassing }: KeyStanding, arn: string): void {
  const verdict = allowed[state];
  if (verdict === 'allowed') return;
  if (verdict === 'unavailable') throw keyUnavailable(arn, isPassing);
  const { code, sentence } = refusals[verdict];
  // Waiting helps with none of these: reconnecting does not make an Unavailable key pending deletion.
  throw new HoldfastError(code, `${arn} ${sentence}`, { retryable: false, keyState: state });
}

/** The state of a key as callers see it. */
export interface KeyStanding {
  state: KeyState;
  /** Whether it is temporary: the key's store is being connected. */
  isPassing: boolean;
}

/**
 * The state that callers see: `Unavailable` while the key's custom key store is anything but CONNECTED, except that
 * PendingDeletion wins (AWS note 13). Keys of the default key store are never `Unavailable`.
 * @throws NOT_FOUND for a key whose deletion has begun or ended.
 */
export function keyStandingOf(core: Pick<KeysCore, 'keyStores' | 'identity'>, key: KeyRecord): Eventual<KeyStanding> {
  const { state, customKeyStoreId } = key;
  if (state === 'Deleting' || state === 'Deleted') throw keyNotFound(keyArn(core.identity, key));
  if (state === 'PendingDeletion' || customKeyStoreId === null) return { state, isPassing: false };
  return whenKnown(core.keyStores.connectionStateOf(customKeyStoreId), (connection) => standingOver(state, connection));
}

function standingOver(state: KeyState, connection: ConnectionState): KeyStanding {
  if (connection === 'CONNECTED') return { state, isPassing: false };
  return { state: 'Unavailable', isPassing: willAllow(connection, 'use') };
}

/** @throws the errors of `keyStandingOf` and `checkKeyState`. */
export function requireKeyState(
  core: Pick<KeysCore, 'keyStores' | 'identity'>,
  key: KeyRecord,
  allowed: KeyStates,
): Eventual<undefined> {
  return whenKnown(keyStandingOf(core, key), (standing) => {
    checkKeyState(allowed, standing, recordArn(core.identity, key));
    return undefined;
  });
}
