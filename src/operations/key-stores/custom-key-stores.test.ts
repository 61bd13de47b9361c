import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  clusterA,
  clusterB,
  clusterOther,
  clusterTooSmall,
  contextOf,
  createKeyStoreFixture,
  defaultCluster,
  type KeyStoreFixture,
} from '../../../test/keystores/fixture.js';
import { Secret } from '../../secret.js';
import { type CreateCustomKeyStoreRequest, createCustomKeyStore } from './create-custom-key-store.js';
import { deleteCustomKeyStore } from './delete-custom-key-store.js';
import { describeCustomKeyStores } from './describe-custom-key-stores.js';
import { credentialVersionOf, isPasswordOf } from '../../keystores/password.js';
import { type UpdateCustomKeyStoreRequest, updateCustomKeyStore } from './update-custom-key-store.js';

let fixture: KeyStoreFixture;

beforeEach(async () => {
  fixture = await createKeyStoreFixture();
});

afterEach(() => fixture.dispose());

function create(change: Partial<CreateCustomKeyStoreRequest> = {}) {
  const request = {
    customKeyStoreName: 'a store',
    cloudHsmClusterId: clusterA,
    trustAnchorCertificate: fixture.trustAnchor,
    keyStorePassword: Secret.fromUtf8('password1'),
    ...change,
  };
  return createCustomKeyStore(fixture.core, { request }, fixture.context);
}

const describeStores = (
  request: Parameters<typeof describeCustomKeyStores>[1]['request'] = {},
  context = fixture.context,
) => describeCustomKeyStores(fixture.core, { request }, context);

const update = (request: UpdateCustomKeyStoreRequest) =>
  updateCustomKeyStore(fixture.core, { request }, fixture.context);

async function storedStore(customKeyStoreId: string) {
  const store = await fixture.catalog.findStore(fixture.context.principal, customKeyStoreId);
  if (store === undefined) throw new Error('there is no such store');
  return store;
}

describe('create', () => {
  test('records a disconnected store, and its password only sealed', async () => {
    const keyStorePassword = Secret.fromUtf8('password1');
    const { customKeyStoreId } = await create({ keyStorePassword });
    expect(customKeyStoreId).toMatch(/^cks-[0-9a-f]{17}$/);
    const store = await storedStore(customKeyStoreId);
    expect(store.connectionState).toBe('DISCONNECTED');
    expect(Buffer.from(store.password.ciphertext).includes('password1')).toBe(false);
    expect(isPasswordOf(fixture.core.passwordSealer, store, Secret.fromUtf8('password1'))).toBe(true);
    expect(() => keyStorePassword.reveal()).toThrow(/destroyed/);
  });

  test('a sealed password opens only for its store, cluster and version', async () => {
    const store = await storedStore((await create()).customKeyStoreId);
    for (const moved of [{ customKeyStoreId: 'cks-other' }, { clusterId: clusterB }, { passwordVersion: 2 }]) {
      expect(() =>
        isPasswordOf(fixture.core.passwordSealer, { ...store, ...moved }, Secret.fromUtf8('password1')),
      ).toThrow();
    }
  });

  test('answers a retry with the same id', async () => {
    expect(await create()).toEqual(await create());
  });

  test('does not count as a retry if the password differs or the store is connecting', async () => {
    const { customKeyStoreId } = await create();
    const other = create({ keyStorePassword: Secret.fromUtf8('password2') });
    await expect(other).rejects.toMatchObject({ code: expect.stringMatching(/IN_USE/) as string });
    await fixture.catalog.changeConnectionState(customKeyStoreId, ['DISCONNECTED'], 'CONNECTING', null);
    await expect(create()).rejects.toMatchObject({ code: expect.stringMatching(/IN_USE/) as string });
  });

  test.each([
    ['a name in use', { cloudHsmClusterId: clusterB }, 'CUSTOM_KEY_STORE_NAME_IN_USE'],
    ['a cluster in use', { customKeyStoreName: 'another' }, 'CLOUD_HSM_CLUSTER_IN_USE'],
    ['the cluster of the default key store', { cloudHsmClusterId: defaultCluster }, 'CLOUD_HSM_CLUSTER_IN_USE'],
    ['a cluster that is not configured', { cloudHsmClusterId: 'cluster-zzzzzzzzzzz' }, 'CLOUD_HSM_CLUSTER_NOT_FOUND'],
    ['too few members', { cloudHsmClusterId: clusterTooSmall }, 'CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION'],
    ['the trust anchor of another cluster', { cloudHsmClusterId: clusterOther }, 'INCORRECT_TRUST_ANCHOR'],
    ['no certificate', { trustAnchorCertificate: 'no certificate' }, 'INCORRECT_TRUST_ANCHOR'],
    ['an external key store', { customKeyStoreType: 'EXTERNAL_KEY_STORE' }, 'UNSUPPORTED_OPERATION'],
    ['no cluster', { cloudHsmClusterId: undefined }, 'VALIDATION'],
    ['no certificate at all', { trustAnchorCertificate: undefined }, 'VALIDATION'],
    ['no password', { keyStorePassword: undefined }, 'VALIDATION'],
  ] as const)('refuses %s', async (_case, change, code) => {
    await create();
    await expect(create(change)).rejects.toMatchObject({ code });
  });

  test.each([
    ['six characters', 'a'.repeat(6), false],
    ['seven characters', 'a'.repeat(7), true],
    ['seven characters of several bytes', 'é'.repeat(7), true],
    ['as many as the cluster accepts', 'a'.repeat(32), true],
    ['one more', 'a'.repeat(33), false],
    ['a control character', 'pass\0word', false],
  ])('a password of %s', async (_case, password, accepted) => {
    const created = create({ keyStorePassword: Secret.fromUtf8(password) });
    if (accepted) await expect(created).resolves.toBeDefined();
    else
      await expect(created).rejects.toMatchObject({
        code: 'VALIDATION',
        fieldViolations: [{ field: 'key_store_password' }],
      });
  });

  test('a trust anchor is compared as DER', async () => {
    const withText = `a comment\r\n${fixture.trustAnchor.replaceAll('\n', '\r\n')}`;
    await expect(create({ trustAnchorCertificate: withText })).resolves.toBeDefined();
  });

  test('other accounts have names of their own', async () => {
    await create();
    const request = {
      customKeyStoreName: 'a store',
      cloudHsmClusterId: clusterB,
      trustAnchorCertificate: fixture.trustAnchor,
      keyStorePassword: Secret.fromUtf8('password1'),
    };
    await expect(createCustomKeyStore(fixture.core, { request }, contextOf('444455556666'))).resolves.toBeDefined();
  });
});

describe('describe', () => {
  test('shows what AWS shows, without the password', async () => {
    const { customKeyStoreId } = await create();
    expect(await describeStores({ customKeyStoreId })).toEqual({
      customKeyStores: [
        {
          customKeyStoreId,
          customKeyStoreName: 'a store',
          cloudHsmClusterId: clusterA,
          trustAnchorCertificate: fixture.trustAnchor,
          connectionState: 'DISCONNECTED',
          connectionErrorCode: undefined,
          creationDate: fixture.clock.now(),
          customKeyStoreType: 'AWS_CLOUDHSM',
        },
      ],
      truncated: false,
    });
    expect(await describeStores({ customKeyStoreName: 'a store' })).toEqual(await describeStores({ customKeyStoreId }));
  });

  test('pages through all stores', async () => {
    const ids = [];
    for (const clusterId of [clusterA, clusterB, clusterOther]) {
      ids.push(await fixture.createStore({ name: clusterId, clusterId }));
    }
    const first = await describeStores({ limit: 2 });
    expect(first.truncated).toBe(true);
    const second = await describeStores({ limit: 2, marker: first.nextMarker });
    expect(second).not.toHaveProperty('nextMarker');
    expect([...first.customKeyStores, ...second.customKeyStores].map((store) => store.customKeyStoreId)).toEqual(
      ids.sort(),
    );
  });

  test('answers an empty list when there are no stores', async () => {
    expect(await describeStores()).toEqual({ customKeyStores: [], truncated: false });
  });

  test.each([
    ['an unknown id', { customKeyStoreId: 'cks-unknown' }, 'CUSTOM_KEY_STORE_NOT_FOUND'],
    ['an unknown name', { customKeyStoreName: 'unknown' }, 'CUSTOM_KEY_STORE_NOT_FOUND'],
    ['id and name together', { customKeyStoreId: 'cks-1', customKeyStoreName: 'a store' }, 'VALIDATION'],
    ['a marker of its own making', { marker: 'nonsense' }, 'INVALID_MARKER'],
  ])('refuses %s', async (_case, request, code) => {
    await expect(describeStores(request)).rejects.toMatchObject({ code });
  });

  test('a store of another account does not exist', async () => {
    const { customKeyStoreId } = await create();
    const stranger = contextOf('444455556666');
    await expect(describeStores({ customKeyStoreId }, stranger)).rejects.toMatchObject({
      code: 'CUSTOM_KEY_STORE_NOT_FOUND',
    });
    expect((await describeStores({}, stranger)).customKeyStores).toEqual([]);
  });
});

describe('update', () => {
  test('a new password is sealed under the next version, and may be tried', async () => {
    const { customKeyStoreId } = await create();
    const before = credentialVersionOf(await storedStore(customKeyStoreId));
    await update({ customKeyStoreId, keyStorePassword: Secret.fromUtf8('password2') });
    const store = await storedStore(customKeyStoreId);
    expect(isPasswordOf(fixture.core.passwordSealer, store, Secret.fromUtf8('password2'))).toBe(true);
    expect(credentialVersionOf(store)).not.toBe(before);
  });

  test('a related cluster keeps the password', async () => {
    const { customKeyStoreId } = await create();
    await update({ customKeyStoreId, cloudHsmClusterId: clusterB });
    const store = await storedStore(customKeyStoreId);
    expect(store.clusterId).toBe(clusterB);
    expect(isPasswordOf(fixture.core.passwordSealer, store, Secret.fromUtf8('password1'))).toBe(true);
  });

  test('when two passwords are set at the same time, one wins and can be unsealed', async () => {
    const { customKeyStoreId } = await create();
    const passwords = ['password2', 'password3'];
    const outcomes = await Promise.allSettled(
      passwords.map((password) => update({ customKeyStoreId, keyStorePassword: Secret.fromUtf8(password) })),
    );
    const store = await storedStore(customKeyStoreId);
    const matches = passwords.filter((password) =>
      isPasswordOf(fixture.core.passwordSealer, store, Secret.fromUtf8(password)),
    );
    expect(matches).toHaveLength(1);
    expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true);
  });

  test('the cluster cannot change while it is connected, the name can', async () => {
    const customKeyStoreId = await connectedStore();
    await update({ customKeyStoreId, newCustomKeyStoreName: 'renamed' });
    expect((await storedStore(customKeyStoreId)).name).toBe('renamed');
    const refused = { code: 'CUSTOM_KEY_STORE_INVALID_STATE' };
    await expect(update({ customKeyStoreId, cloudHsmClusterId: clusterB })).rejects.toMatchObject(refused);
  });

  const connectedStore = async (): Promise<string> => {
    const { customKeyStoreId } = await create();
    await fixture.catalog.changeConnectionState(customKeyStoreId, ['DISCONNECTED'], 'CONNECTED', null);
    return customKeyStoreId;
  };
  const setPassword = (customKeyStoreId: string, password = 'password2') =>
    update({ customKeyStoreId, keyStorePassword: Secret.fromUtf8(password) });

  test('a password that every member accepts is set while it is connected', async () => {
    const customKeyStoreId = await connectedStore();
    await setPassword(customKeyStoreId);
    const store = await storedStore(customKeyStoreId);
    expect(store).toMatchObject({ connectionState: 'CONNECTED', passwordVersion: 2 });
    expect(isPasswordOf(fixture.core.passwordSealer, store, Secret.fromUtf8('password2'))).toBe(true);
    expect(fixture.pinTrials.trials).toMatchObject([{ clusterId: clusterA, pin: 'password2' }]);
  });

  test('no member is asked while it is disconnected', async () => {
    await setPassword((await create()).customKeyStoreId);
    expect(fixture.pinTrials.trials).toEqual([]);
  });

  test.each([
    ['INVALID_CREDENTIALS', false, 'VALIDATION'],
    ['USER_LOCKED_OUT', false, 'CUSTOM_KEY_STORE_INVALID_STATE'],
    ['NETWORK_ERRORS', true, 'CUSTOM_KEY_STORE_INVALID_STATE'],
  ] as const)('a member that answers %s leaves the password as it is', async (errorCode, transient, code) => {
    const customKeyStoreId = await connectedStore();
    fixture.pinTrials.failure = { memberName: 'one', errorCode, isWrongPin: false, transient, cause: undefined };
    await expect(setPassword(customKeyStoreId)).rejects.toMatchObject({ code, retryable: transient });
    expect(await storedStore(customKeyStoreId)).toMatchObject({ passwordVersion: 1 });
  });

  test('the same password has the same name at every trial, another one has another', async () => {
    const customKeyStoreId = await connectedStore();
    fixture.pinTrials.failure = {
      memberName: 'one',
      errorCode: 'INVALID_CREDENTIALS',
      isWrongPin: false,
      transient: false,
      cause: '',
    };
    for (const password of ['password2', 'password2', 'password3'])
      await expect(setPassword(customKeyStoreId, password)).rejects.toThrow();
    const [first, again, other] = fixture.pinTrials.trials.map(({ credentialVersion }) => credentialVersion);
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });

  test('a store that changes its state during the trial is left as it is', async () => {
    const customKeyStoreId = await connectedStore();
    fixture.pinTrials.meanwhile = () =>
      fixture.catalog.changeConnectionState(customKeyStoreId, ['CONNECTED'], 'DISCONNECTING', null);
    await expect(setPassword(customKeyStoreId)).rejects.toMatchObject({ code: 'CUSTOM_KEY_STORE_INVALID_STATE' });
    expect(await storedStore(customKeyStoreId)).toMatchObject({ passwordVersion: 1 });
  });

  test.each([
    ['an unrelated cluster', { cloudHsmClusterId: clusterOther }, 'CLOUD_HSM_CLUSTER_NOT_RELATED'],
    ['an unknown cluster', { cloudHsmClusterId: 'cluster-zzzzzzzzzzz' }, 'CLOUD_HSM_CLUSTER_NOT_FOUND'],
    ['the default cluster', { cloudHsmClusterId: defaultCluster }, 'CLOUD_HSM_CLUSTER_IN_USE'],
    ['a short password', { keyStorePassword: Secret.fromUtf8('short') }, 'VALIDATION'],
    ['an unknown store', { customKeyStoreId: 'cks-unknown' }, 'CUSTOM_KEY_STORE_NOT_FOUND'],
  ])('refuses %s', async (_case, change, code) => {
    const { customKeyStoreId } = await create();
    await expect(update({ customKeyStoreId, ...change })).rejects.toMatchObject({ code });
  });

  test('refuses a name or a cluster that another store has', async () => {
    const { customKeyStoreId } = await create();
    await fixture.createStore({ name: 'another', clusterId: clusterB });
    const rename = update({ customKeyStoreId, newCustomKeyStoreName: 'another' });
    await expect(rename).rejects.toMatchObject({ code: 'CUSTOM_KEY_STORE_NAME_IN_USE' });
    const move = update({ customKeyStoreId, cloudHsmClusterId: clusterB });
    await expect(move).rejects.toMatchObject({ code: 'CLOUD_HSM_CLUSTER_IN_USE' });
  });
});

describe('delete', () => {
  const remove = (customKeyStoreId: string) =>
    deleteCustomKeyStore(fixture.core, { request: { customKeyStoreId } }, fixture.context);

  test('removes a disconnected store, and frees its cluster and name', async () => {
    const { customKeyStoreId } = await create();
    await remove(customKeyStoreId);
    await expect(remove(customKeyStoreId)).rejects.toMatchObject({ code: 'CUSTOM_KEY_STORE_NOT_FOUND' });
    expect(await create()).not.toEqual({ customKeyStoreId });
  });

  test.each(['CONNECTED', 'CONNECTING', 'FAILED', 'DISCONNECTING'] as const)(
    'refuses a store that is %s',
    async (state) => {
      const { customKeyStoreId } = await create();
      await fixture.catalog.changeConnectionState(customKeyStoreId, ['DISCONNECTED'], state, null);
      await expect(remove(customKeyStoreId)).rejects.toMatchObject({ code: 'CUSTOM_KEY_STORE_INVALID_STATE' });
    },
  );
});
