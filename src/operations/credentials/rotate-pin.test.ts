import { afterEach, beforeEach, expect, test } from 'vitest';
import { createKeyStoreFixture, type KeyStoreFixture } from '../../../test/keystores/fixture.js';
import { newPinRotation } from '../../keystores/new-pin-rotation.js';
import { Secret } from '../../secret.js';
import { rotatePin } from './rotate-pin.js';

let fixture: KeyStoreFixture;
let customKeyStoreId: string;

beforeEach(async () => {
  fixture = await createKeyStoreFixture();
  customKeyStoreId = await fixture.createStore();
  await fixture.catalog.changeConnectionState(customKeyStoreId, ['DISCONNECTED'], 'CONNECTED', null);
});
afterEach(() => fixture.dispose());

test('a call that is overtaken by another one is refused, and shows no PIN that no member has', async () => {
  const { catalog, core, context } = fixture;
  const store = await catalog.findStore(context.principal, customKeyStoreId);
  if (store === undefined) throw new Error('there is no such store');
  core.pinRotationCatalog = {
    ...catalog,
    async beginPinRotation(rotation, present) {
      await catalog.beginPinRotation(newPinRotation(core, store, Secret.fromUtf8('of-the-other-call')));
      return catalog.beginPinRotation(rotation, present);
    },
  };
  const request = { customKeyStoreId, showPin: true };
  await expect(rotatePin(core, { request }, context)).rejects.toMatchObject({
    code: 'CUSTOM_KEY_STORE_INVALID_STATE',
    retryable: true,
  });
});
