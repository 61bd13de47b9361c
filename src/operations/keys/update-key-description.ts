import { changeKey } from '../../keys/change-state.js';
import type { KeysCore } from '../../keys/core.js';
import type { KeyRecord } from '../../keys/key.js';
import { unlessPendingDeletion } from '../../keys/key-state.js';
import { type Keyed, onKey } from '../operation.js';

/** AWS KMS API Reference, UpdateKeyDescription. */
export interface UpdateKeyDescriptionRequest {
  /** 0–8,192 characters. */
  description: string;
}

/**
 * Replaces the description.
 * @throws KMS_INVALID_STATE when the key is pending deletion, NOT_FOUND when its deletion has begun meanwhile.
 */
export async function updateKeyDescription(
  core: Pick<KeysCore, 'catalog' | 'keyStores' | 'identity'>,
  { key, request }: { key: KeyRecord; request: UpdateKeyDescriptionRequest },
): Promise<Record<string, never>> {
  await changeKey(core, key, unlessPendingDeletion, () =>
    core.catalog.changeKeyDescription(key, key.keyId, ['Enabled', 'Disabled'], request.description),
  );
  return {};
}

/** UpdateKeyDescription: the key by id. */
export const updateKeyDescriptionOperation = onKey<UpdateKeyDescriptionRequest & Keyed>({
  plane: 'control',
  audited: ['keyId', 'description'],
  action: 'kms:UpdateKeyDescription',
  aliasesAllowed: false,
  keyStates: unlessPendingDeletion,
  run: updateKeyDescription,
});
