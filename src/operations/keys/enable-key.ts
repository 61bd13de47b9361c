import { unlessPendingDeletion } from '../../keys/key-state.js';
import { type Keyed, onKey } from '../operation.js';
import { changeKeyState } from '../../keys/change-state.js';
import type { KeysCore } from '../../keys/core.js';
import type { KeyRecord } from '../../keys/key.js';

/**
 * Sets the state to Enabled; harmless if it is enabled already. It succeeds on an `Unavailable` key too, and takes
 * effect once the custom key store is connected again (AWS KMS Developer Guide, "Key states", note 12).
 * @throws KMS_INVALID_STATE when the key is pending deletion.
 */
export async function enableKey(
  core: Pick<KeysCore, 'catalog' | 'keyStores' | 'identity'>,
  call: { key: KeyRecord },
): Promise<Record<string, never>> {
  const change = { state: 'Enabled', deletionDate: null, pendingDeletionWindowInDays: null } as const;
  await changeKeyState(core, call.key, unlessPendingDeletion, ['Enabled', 'Disabled'], change);
  return {};
}

/** EnableKey: the key by id. */
export const enableKeyOperation = onKey<Keyed>({
  plane: 'control',
  audited: ['keyId'],
  action: 'kms:EnableKey',
  aliasesAllowed: false,
  keyStates: unlessPendingDeletion,
  run: enableKey,
});
