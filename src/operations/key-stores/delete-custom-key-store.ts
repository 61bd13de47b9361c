import { onKeyStore } from '../operation.js';
import { HoldfastError } from '../../errors.js';
import type { RequestContext } from '../../calls/request-context.js';
import { type KeyStoreAdministration, requireStore, storeNotFound } from '../../keystores/administration.js';
import { invalidState, requireAllowed } from '../../keystores/connection-state.js';

/** AWS KMS API Reference, DeleteCustomKeyStore. */
export interface DeleteCustomKeyStoreRequest {
  customKeyStoreId: string;
}

/**
 * Removes a DISCONNECTED store that has no keys; keys pending deletion count. The HSM cluster stays as it is.
 * @throws CUSTOM_KEY_STORE_NOT_FOUND, CUSTOM_KEY_STORE_INVALID_STATE, CUSTOM_KEY_STORE_HAS_CMKS
 */
export async function deleteCustomKeyStore(
  core: KeyStoreAdministration,
  call: { request: DeleteCustomKeyStoreRequest },
  context: RequestContext,
): Promise<Record<string, never>> {
  const { customKeyStoreId } = call.request;
  requireAllowed(await requireStore(core, context.principal, customKeyStoreId), 'delete');
  const outcome = await core.keyStoreCatalog.deleteStore(customKeyStoreId);
  if (outcome === 'not-found') throw storeNotFound(customKeyStoreId);
  if (outcome === 'has-keys') throw hasKeys(customKeyStoreId);
  if (outcome === 'wrong-state') {
    throw invalidState(await requireStore(core, context.principal, customKeyStoreId), 'delete');
  }
  return {};
}

function hasKeys(customKeyStoreId: string): HoldfastError {
  return new HoldfastError(
    'CUSTOM_KEY_STORE_HAS_CMKS',
    `Custom key store ${customKeyStoreId} contains KMS keys. Schedule their deletion and wait until it is done.`,
  );
}

/** The descriptor of DeleteCustomKeyStore, with its function. */
export const deleteCustomKeyStoreOperation = onKeyStore<DeleteCustomKeyStoreRequest>({
  plane: 'control',
  audited: ['customKeyStoreId'],
  action: 'kms:DeleteCustomKeyStore',
  run: deleteCustomKeyStore,
});
