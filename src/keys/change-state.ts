import { HoldfastError } from '../errors.js';
import { keyArn } from './arn.js';
import type { KeyStateChange } from './catalog.js';
import type { KeysCore } from './core.js';
import type { KeyRecord, StoredKeyState } from './key.js';
import { type KeyStates, requireKeyState } from './key-state.js';
import { findVisibleKey } from './resolve-key.js';

/**
 * Changes a key's stored state if the state table allows the operation.
 * @throws as `changeKey`
 */
export function changeKeyState(
  core: Pick<KeysCore, 'catalog' | 'keyStores' | 'identity'>,
  key: KeyRecord,
  allowed: KeyStates,
  from: readonly StoredKeyState[],
  to: KeyStateChange,
): Promise<void> {
  return changeKey(core, key, allowed, () => core.catalog.changeKeyState(key, key.keyId, from, to));
}

/**
 * Changes a key's record if the state table allows the operation.
 * @param write compares the stored state, and resolves with whether it has written
 * @throws the errors of the state table, also for a state that another request set between reading and writing.
 */
export async function changeKey(
  core: Pick<KeysCore, 'catalog' | 'keyStores' | 'identity'>,
  key: KeyRecord,
  allowed: KeyStates,
  write: () => Promise<boolean>,
): Promise<void> {
  await requireKeyState(core, key, allowed);
  if (await write()) return;
  await requireKeyState(core, await findVisibleKey(core, key, key.keyId), allowed);
  throw new HoldfastError('KMS_INVALID_STATE', `${keyArn(core.identity, key)} was being changed by another request.`, {
    retryable: true,
  });
}
