import { onlyPendingDeletion } from '../../keys/key-state.js';
import { type Keyed, onKey } from '../operation.js';
import { keyArn } from '../../keys/arn.js';
import { changeKeyState } from '../../keys/change-state.js';
import type { KeysCore } from '../../keys/core.js';
import type { KeyRecord } from '../../keys/key.js';

/** AWS KMS API Reference, CancelKeyDeletion. The key is Disabled: it stays so until EnableKey. */
export interface CancelKeyDeletionResponse {
  /** The key's ARN, as AWS answers. */
  keyId: string;
}

/**
 * Cancels the deletion and leaves the key Disabled (AWS KMS API Reference, CancelKeyDeletion). It is too late once the
 * deletion has begun.
 * @throws KMS_INVALID_STATE when the key is not pending deletion, NOT_FOUND when its deletion has begun.
 */
export async function cancelKeyDeletion(
  core: Pick<KeysCore, 'catalog' | 'keyStores' | 'identity'>,
  call: { key: KeyRecord },
): Promise<CancelKeyDeletionResponse> {
  const change = { state: 'Disabled', deletionDate: null, pendingDeletionWindowInDays: null } as const;
  await changeKeyState(core, call.key, onlyPendingDeletion, ['PendingDeletion'], change);
  return { keyId: keyArn(core.identity, call.key) };
}

/** CancelKeyDeletion: the key by id. */
export const cancelKeyDeletionOperation = onKey<Keyed>({
  plane: 'control',
  audited: ['keyId'],
  action: 'kms:CancelKeyDeletion',
  aliasesAllowed: false,
  keyStates: onlyPendingDeletion,
  run: cancelKeyDeletion,
});
