import { type ErrorCode, HoldfastError } from '../errors.js';
import { willAllow } from '../keystores/connection-state.js';
import { keyArn } from './arn.js';
import type { KeysCore } from './core.js';
import type { KeyRecord, KeyState } from './key.js';
import { keyNotFound } from './not-found.js';

/** The operations that work on an existing key. `UpdateAlias` means the key that the alias is to point at. */
export type KeyOperation =
  | 'CancelKeyDeletion'
  | 'CreateAlias'
  | 'Decrypt'
  | 'DeleteAlias'
  | 'DescribeKey'
  | 'DisableKey'
  | 'EnableKey'
  | 'Encrypt'
  | 'GenerateDataKey'
  | 'GenerateDataKeyWithoutPlaintext'
  | 'ListAliases'
  | 'ReEncrypt'
  | 'ScheduleKeyDeletion'
  | 'UpdateAlias';

type Refusal = 'disabled' | 'pending-deletion' | 'not-pending-deletion' | 'unavailable';
type Verdict = 'allowed' | Refusal;
type Row = Readonly<Record<KeyState, Verdict>>;

const cryptographic: Row = {
  Enabled: 'allowed',
  Disabled: 'disabled',
  PendingDeletion: 'pending-deletion',
  Unavailable: 'unavailable',
};
const always: Row = { Enabled: 'allowed', Disabled: 'allowed', PendingDeletion: 'allowed', Unavailable: 'allowed' };
const unlessPendingDeletion: Row = { ...always, PendingDeletion: 'pending-deletion' };
const onlyPendingDeletion: Row = {
  Enabled: 'not-pending-deletion',
  Disabled: 'not-pending-deletion',
  PendingDeletion: 'allowed',
  Unavailable: 'not-pending-deletion',
};

/** AWS KMS Developer Guide, "Key states of AWS KMS keys": the key state table, for the operations and states we have. */
export const keyStateTable: Readonly<Record<KeyOperation, Row>> = {
  CancelKeyDeletion: onlyPendingDeletion,
  CreateAlias: unlessPendingDeletion,
  Decrypt: cryptographic,
  DeleteAlias: always,
  DescribeKey: always,
  // Notes 12: on an Unavailable key they succeed; what they changed shows when the store is connected again.
  DisableKey: unlessPendingDeletion,
  EnableKey: unlessPendingDeletion,
  Encrypt: cryptographic,
  GenerateDataKey: cryptographic,
  GenerateDataKeyWithoutPlaintext: cryptographic,
  ListAliases: always,
  ReEncrypt: cryptographic,
  ScheduleKeyDeletion: unlessPendingDeletion,
  // Note 10: the key that the alias points at so far may be pending deletion, the new one may not.
  UpdateAlias: unlessPendingDeletion,
};

/** The notes under the table. The live service leaves out the parenthesis that the guide has ("or pending replica deletion"). */
const refusals: Readonly<Record<Refusal, { code: ErrorCode; sentence: string }>> = {
  disabled: { code: 'DISABLED', sentence: 'is disabled.' },
  'pending-deletion': { code: 'KMS_INVALID_STATE', sentence: 'is pending deletion.' },
  'not-pending-deletion': { code: 'KMS_INVALID_STATE', sentence: 'is not pending deletion.' },
  unavailable: { code: 'KMS_INVALID_STATE', sentence: 'is unavailable.' },
};

/**
 * @param standing the state that callers see, and whether it ends by itself
 * @throws DISABLED or KMS_INVALID_STATE when a key in this state does not allow the operation.
 */
export function checkKeyState(operation: KeyOperation, { state, isPassing }: KeyStanding, arn: string): void {
  const verdict = keyStateTable[operation][state];
  if (verdict === 'allowed') return;
  const { code, sentence } = refusals[verdict];
  // An Unavailable key is not pending deletion, and is not going to be.
  const retryable = isPassing && verdict === 'unavailable';
  throw new HoldfastError(code, `${arn} ${sentence}`, { retryable, keyState: state });
}

/** The state of a key as callers see it. */
export interface KeyStanding {
  state: KeyState;
  /** It ends by itself: the key's store is being connected. */
  isPassing: boolean;
}

/**
 * The state that callers see: `Unavailable` while the key's custom key store is anything but CONNECTED, except that
 * PendingDeletion wins (AWS note 13). Keys of the default key store are never `Unavailable`.
 * @throws NOT_FOUND for a key that is being deleted or is gone.
 */
export async function keyStandingOf(
  core: Pick<KeysCore, 'keyStores' | 'identity'>,
  key: KeyRecord,
): Promise<KeyStanding> {
  const { state, customKeyStoreId } = key;
  if (state === 'Deleting' || state === 'Deleted') throw keyNotFound(keyArn(core.identity, key));
  if (state === 'PendingDeletion' || customKeyStoreId === null) return { state, isPassing: false };
  const connection = await core.keyStores.connectionStateOf(customKeyStoreId);
  if (connection === 'CONNECTED') return { state, isPassing: false };
  return { state: 'Unavailable', isPassing: willAllow(connection, 'use') };
}

/** @throws what `keyStandingOf` and `checkKeyState` throw. */
export async function requireKeyState(
  core: Pick<KeysCore, 'keyStores' | 'identity'>,
  key: KeyRecord,
  operation: KeyOperation,
): Promise<void> {
  checkKeyState(operation, await keyStandingOf(core, key), keyArn(core.identity, key));
}
