import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  clusterA,
  clusterB,
  createKeyStoreFixture,
  defaultCluster,
  type KeyStoreFixture,
} from '../../../test/keystores/fixture.js';
import { credentialVersionOf, isPasswordOf, sealPassword } from '../../keystores/password.js';
import type { PinPhase } from '../../keystores/pin-rotation.js';
import { Secret } from '../../secret.js';
import { createPasswordSealer } from '../../storage/password-sealer.js';
import { updateCustomKeyStore } from '../key-stores/update-custom-key-store.js';
import { rotateSealingKey } from './rotate-sealing-key.js';

const keyBytes = { old: randomBytes(32), new: randomBytes(32) };
const key = (id: keyof typeof keyBytes) => ({ id, key: new Secret(Uint8Array.from(keyBytes[id])) });

let fixture: KeyStoreFixture;
/** As before the rotation, during it, and once the old key has been removed. */
const sealers = {
  before: createPasswordSealer([key('old')]),
  during: createPasswordSealer([key('new'), key('old')]),
  after: createPasswordSealer([key('new')]),
};

beforeEach(async () => {
  fixture = await createKeyStoreFixture();
  fixture.core.passwordSealer = sealers.before;
});

afterEach(() => fixture.dispose());

async function stored(customKeyStoreId: string) {
  const store = await fixture.catalog.findStore(fixture.context.principal, customKeyStoreId);
  if (store === undefined) throw new Error('there is no such store');
  return store;
}

const rotate = (sealer = sealers.during, dryRun = false) =>
  rotateSealingKey({ ...fixture.core, passwordSealer: sealer }, { dryRun });

test('passwords open under the new key alone, and stay the same credential', async () => {
  const [first, second] = [await fixture.createStore(), await fixture.createStore({ name: 'b', clusterId: clusterB })];
  const before = credentialVersionOf(await stored(first));
  expect(await rotate()).toEqual({
    sealingKeyId: 'new',
    resealedPasswords: 2,
    currentPasswords: 0,
    unreadableCustomKeyStoreIds: [],
  });
  for (const id of [first, second])
    expect(isPasswordOf(sealers.after, await stored(id), Secret.fromUtf8('password1'))).toBe(true);
  expect(credentialVersionOf(await stored(first))).toBe(before);
  expect(await rotate()).toMatchObject({ resealedPasswords: 0, currentPasswords: 2 });
});

test('a dry run counts, and changes nothing', async () => {
  const id = await fixture.createStore();
  expect(await rotate(sealers.during, true)).toMatchObject({ resealedPasswords: 1, currentPasswords: 0 });
  expect((await stored(id)).password.sealingKeyId).toBe('old');
});

test('a password that cannot be unsealed is left as it is, and named', async () => {
  const id = await fixture.createStore();
  const { password } = await stored(id);
  expect(await rotate(sealers.after)).toMatchObject({ resealedPasswords: 0, unreadableCustomKeyStoreIds: [id] });
  expect((await stored(id)).password).toEqual(password);
});

test('a password that is set meanwhile is not replaced by the earlier one', async () => {
  const id = await fixture.createStore();
  const { catalog, core, context } = fixture;
  let isSet = false;
  const racing: typeof catalog.resealPassword = async (store, resealed) => {
    if (!isSet) {
      isSet = true;
      const request = { customKeyStoreId: id, keyStorePassword: Secret.fromUtf8('password2') };
      await updateCustomKeyStore(core, { request }, context);
    }
    return catalog.resealPassword(store, resealed);
  };
  const racingCore = {
    ...core,
    keyStoreCatalog: { ...catalog, resealPassword: racing },
    passwordSealer: sealers.during,
  };
  expect(await rotateSealingKey(racingCore, {})).toMatchObject({
    resealedPasswords: 1,
  });
  expect(isPasswordOf(sealers.after, await stored(id), Secret.fromUtf8('password2'))).toBe(true);
});

test('a store that moves or is deleted meanwhile is not touched', async () => {
  const id = await fixture.createStore();
  const store = await stored(id);
  const { password } = store;
  expect(await fixture.catalog.resealPassword({ ...store, clusterId: clusterB }, password)).toBe(false);
  expect(await fixture.catalog.resealPassword({ ...store, passwordVersion: 2 }, password)).toBe(false);
  await fixture.catalog.deleteStore(id);
  expect(await fixture.catalog.resealPassword({ ...store, clusterId: clusterA }, password)).toBe(false);
});

test('every PIN of the default key store is sealed anew', async () => {
  const { catalog, clock } = fixture;
  const place = { customKeyStoreId: defaultCluster, clusterId: defaultCluster };
  const sealed = (passwordVersion: number, pin: string) => {
    using secret = Secret.fromUtf8(pin);
    const versioned = { ...place, passwordVersion };
    return { ...versioned, password: sealPassword(sealers.before, secret, versioned) };
  };
  const rotation = { ...sealed(2, 'new-pin'), startedDate: clock.now(), members: [memberOf('new')] };
  expect(await catalog.beginPinRotation(rotation, { ...sealed(1, 'old-pin'), takenUpDate: null })).toBe(true);
  expect(await catalog.completePinRotation(defaultCluster)).toBe(true);
  expect(await rotate(sealers.after)).toMatchObject({ unreadableCustomKeyStoreIds: [defaultCluster] });
  expect(await rotate(sealers.during, true)).toMatchObject({ resealedPasswords: 1 });
  expect(await rotate()).toMatchObject({ resealedPasswords: 1, unreadableCustomKeyStoreIds: [] });
  const pins = await catalog.listDefaultPins(defaultCluster);
  expect(pins.map((pin) => isPasswordOf(sealers.after, pin, Secret.fromUtf8('old-pin')))).toEqual([true, false]);
  expect(pins.map((pin) => isPasswordOf(sealers.after, pin, Secret.fromUtf8('new-pin')))).toEqual([false, true]);
  expect(await rotate()).toMatchObject({ resealedPasswords: 0, currentPasswords: 1 });
});

const memberOf = (phase: PinPhase) => ({ memberName: 'one', phase, round: 0 });
