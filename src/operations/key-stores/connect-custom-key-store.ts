import { onKeyStore } from '../operation.js';
import type { RequestContext } from '../../calls/request-context.js';
import { type KeyStoreAdministration, requireStore } from '../../keystores/administration.js';
import { changeState } from '../../keystores/change-state.js';

/** AWS KMS API Reference, ConnectCustomKeyStore. */
export interface ConnectCustomKeyStoreRequest {
  customKeyStoreId: string;
}

/**
 * Starts to connect a store and answers at once: DescribeCustomKeyStores reports the result. A store that is CONNECTED
 * or CONNECTING does not change.
 * @throws CUSTOM_KEY_STORE_NOT_FOUND, CUSTOM_KEY_STORE_INVALID_STATE (DISCONNECTING or FAILED)
 */
export async function connectCustomKeyStore(
  core: KeyStoreAdministration,
  call: { request: ConnectCustomKeyStoreRequest },
  context: RequestContext,
): Promise<Record<string, never>> {
  const store = await requireStore(core, context.principal, call.request.customKeyStoreId);
  const change = await changeState(core, store, 'connect');
  if (change.from === 'DISCONNECTED') core.connectionJobs.startConnecting(store.customKeyStoreId);
  return {};
}

/** The descriptor of ConnectCustomKeyStore, with its function. */
export const connectCustomKeyStoreOperation = onKeyStore<ConnectCustomKeyStoreRequest>({
  plane: 'control',
  audited: ['customKeyStoreId'],
  action: 'kms:ConnectCustomKeyStore',
  run: connectCustomKeyStore,
});
