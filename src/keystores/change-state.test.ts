import { afterEach, beforeEach, expect, test } from 'vitest';
import { createKeyStoreFixture, type KeyStoreFixture } from '../../test/keystores/fixture.js';
import { changeState } from './change-state.js';
import type { ConnectionState, StoreRecord } from './store.js';

let fixture: KeyStoreFixture;
let store: StoreRecord;

beforeEach(async () => {
  fixture = await createKeyStoreFixture();
  const found = await fixture.catalog.findStore(fixture.context.principal, await fixture.createStore());
  if (found === undefined) throw new Error('the fixture made no store');
  store = found;
});

afterEach(() => fixture.dispose());

/** Another process was faster: the catalog has moved on, the record here has not. */
async function overtake(state: ConnectionState): Promise<void> {
  await fixture.catalog.changeConnectionState(store.customKeyStoreId, ['DISCONNECTED'], state, null);
}

test('changes the state', async () => {
  expect(await changeState(fixture.core, store, 'connect')).toEqual({ from: 'DISCONNECTED', to: 'CONNECTING' });
});

test('applies the rules again to the state that another process left', async () => {
  await overtake('CONNECTED');
  expect(await changeState(fixture.core, store, 'connect')).toEqual({ from: 'CONNECTED', to: 'CONNECTED' });
  expect(await changeState(fixture.core, { ...store, connectionState: 'CONNECTING' }, 'disconnect')).toEqual({
    from: 'CONNECTED',
    to: 'DISCONNECTING',
  });
});

test('refuses an operation that the new state does not allow', async () => {
  await overtake('FAILED');
  const refused = { code: 'CUSTOM_KEY_STORE_INVALID_STATE', message: expect.stringContaining('FAILED') as string };
  await expect(changeState(fixture.core, store, 'connect')).rejects.toMatchObject(refused);
});

test('a store that was deleted meanwhile does not exist', async () => {
  await fixture.catalog.deleteStore(store.customKeyStoreId);
  await expect(changeState(fixture.core, store, 'connect')).rejects.toMatchObject({
    code: 'CUSTOM_KEY_STORE_NOT_FOUND',
  });
});
