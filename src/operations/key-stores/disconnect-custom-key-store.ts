import { onKeyStore } from '../operation.js';
import type { RequestContext } from '../../calls/request-context.js';
import { type KeyStoreAdministration, requireStore } from '../../keystores/administration.js';
import { changeState } from '../../keystores/change-state.js';

/** AWS KMS API Reference, DisconnectCustomKeyStore. */
export interface DisconnectCustomKeyStoreRequest {
  customKeyStoreId: string;
}

/**
 * Starts to disconnect a store and answers at once; its keys are unavailable from now on. Cancels a connect that is
 * under way.
 * @throws CUSTOM_KEY_STORE_NOT_FOUND, CUSTOM_KEY_STORE_INVALID_STATE (DISCONNECTING or DISCONNECTED)
 */
export async function disconnectCustomKeyStore(
  core: KeyStoreAdministration,
  call: { request: DisconnectCustomKeyStoreRequest },
  context: RequestContext,
): Promise<Record<string, never>> {
  const store = await requireStore(core, context.principal, call.request.customKeyStoreId);
  await changeState(core, store, 'disconnect');
  core.connectionJobs.startDisconnecting(store.customKeyStoreId);
  return {};
}

/** The descriptor of DisconnectCustomKeyStore, with its function. */
export const disconnectCustomKeyStoreOperation = onKeyStore<DisconnectCustomKeyStoreRequest>({
  plane: 'control',
  audited: ['customKeyStoreId'],
  action: 'kms:DisconnectCustomKeyStore',
  run: disconnectCustomKeyStore,
});
