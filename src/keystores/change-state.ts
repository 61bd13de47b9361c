import { HoldfastError } from '../errors.js';
import { type KeyStoreAdministration, requireStore } from './administration.js';
import { requireAllowed, transition } from './connection-state.js';
import type { ConnectionState, StoreRecord } from './store.js';

/** A state does not change more often than this during one command. */
const attempts = 5;

/**
 * Moves a store to the state that `command` leads to, by compare-and-set. If another process or job was faster, the
 * rules are applied again to the state that it left.
 * @returns the states before and after; equal if there was nothing to change.
 * @throws CUSTOM_KEY_STORE_INVALID_STATE, CUSTOM_KEY_STORE_NOT_FOUND
 */
export async function changeState(
  core: Pick<KeyStoreAdministration, 'keyStoreCatalog'>,
  store: StoreRecord,
  command: 'connect' | 'disconnect',
): Promise<{ from: ConnectionState; to: ConnectionState }> {
  let current = store;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    requireAllowed(current, command);
    const from = current.connectionState;
    const to = transition(from, command) as ConnectionState;
    if (from === to) return { from, to };
    if (await core.keyStoreCatalog.changeConnectionState(current.customKeyStoreId, [from], to, null))
      return { from, to };
    current = await requireStore(core, current, current.customKeyStoreId);
  }
  throw new HoldfastError(
    'KMS_INTERNAL',
    `The state of custom key store ${store.customKeyStoreId} keeps changing. Try again.`,
    { retryable: true },
  );
}
