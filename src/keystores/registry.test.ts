import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { clusterA, createKeyStoreFixture, defaultCluster, type KeyStoreFixture } from '../../test/keystores/fixture.js';
import { retryAfterUnreachableMs } from '../../test/keystores/fake-hsm-clusters.js';
import { Secret } from '../secret.js';
import { connectCustomKeyStore } from '../operations/key-stores/connect-custom-key-store.js';
import { disconnectCustomKeyStore } from '../operations/key-stores/disconnect-custom-key-store.js';
import type { KeyStoreRegistry } from './registry.js';
import { updateCustomKeyStore } from '../operations/key-stores/update-custom-key-store.js';
import { waitFor } from '../../test/wait-for.js';

const keyArn = 'arn:aws:kms:eu-central-1:111122223333:key/1';
const networkError = { connected: false, errorCode: 'NETWORK_ERRORS', transient: true, cause: 'unplugged' } as const;
const wrongPin = { connected: false, errorCode: 'INVALID_CREDENTIALS', transient: false, cause: 'wrong' } as const;

let fixture: KeyStoreFixture;
let started: KeyStoreRegistry[];

beforeEach(async () => {
  fixture = await createKeyStoreFixture();
  started = [];
});

afterEach(async () => {
  for (const registry of started) await registry.stop(0);
  await fixture.dispose();
});

async function start(registry = fixture.registry): Promise<KeyStoreRegistry> {
  started.push(registry);
  await registry.start();
  return registry;
}

const connect = (customKeyStoreId: string) =>
  connectCustomKeyStore(fixture.core, { request: { customKeyStoreId } }, fixture.context);
const disconnect = (customKeyStoreId: string) =>
  disconnectCustomKeyStore(fixture.core, { request: { customKeyStoreId } }, fixture.context);

async function storeOf(customKeyStoreId: string) {
  const store = await fixture.catalog.findStore(fixture.context.principal, customKeyStoreId);
  return { state: store?.connectionState, error: store?.connectionErrorCode };
}

const untilState = (customKeyStoreId: string, state: string) =>
  waitFor(async () => expect((await storeOf(customKeyStoreId)).state).toBe(state), 2);
const untilEvent = (event: string, count = 1) =>
  waitFor(() => expect(fixture.events.filter((seen) => seen === event)).toHaveLength(count), 2);

async function connectedStore(): Promise<string> {
  const customKeyStoreId = await fixture.createStore();
  await connect(customKeyStoreId);
  await untilState(customKeyStoreId, 'CONNECTED');
  await untilEvent(`connected ${clusterA}`);
  return customKeyStoreId;
}

/** A promise, and the function that resolves it. */
function gate() {
  let open = (): void => undefined;
  const until = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { until, open };
}

describe('connect', () => {
  test('is asynchronous, and uses the sealed password once', async () => {
    await start();
    const { until, open } = gate();
    fixture.clusters.script(clusterA, { until });
    const customKeyStoreId = await fixture.createStore({ password: 'the password' });
    await connect(customKeyStoreId);
    expect((await storeOf(customKeyStoreId)).state).toBe('CONNECTING');
    open();
    await untilState(customKeyStoreId, 'CONNECTED');
    const mine = fixture.clusters.connects.filter(({ clusterId }) => clusterId === clusterA);
    expect(mine).toEqual([{ clusterId: clusterA, pin: 'the password', credentialVersion: `${customKeyStoreId}:1` }]);
    await connect(customKeyStoreId);
    expect(fixture.clusters.connects).toHaveLength(2);
  });

  test('a wrong password is tried once, and a new password counts as another credential', async () => {
    await start();
    fixture.clusters.script(clusterA, { outcome: wrongPin });
    const customKeyStoreId = await fixture.createStore();
    await connect(customKeyStoreId);
    await untilState(customKeyStoreId, 'FAILED');
    expect((await storeOf(customKeyStoreId)).error).toBe('INVALID_CREDENTIALS');
    await expect(connect(customKeyStoreId)).rejects.toMatchObject({ code: 'CUSTOM_KEY_STORE_INVALID_STATE' });

    await disconnect(customKeyStoreId);
    await untilState(customKeyStoreId, 'DISCONNECTED');
    expect((await storeOf(customKeyStoreId)).error).toBeNull();
    const request = { customKeyStoreId, keyStorePassword: Secret.fromUtf8('password2') };
    await updateCustomKeyStore(fixture.core, { request }, fixture.context);
    await connect(customKeyStoreId);
    await untilState(customKeyStoreId, 'CONNECTED');
    expect(fixture.clusters.connects.at(-1)).toMatchObject({
      pin: 'password2',
      credentialVersion: `${customKeyStoreId}:2`,
    });
  });

  test('an update to the cluster that the store already has is not a new credential', async () => {
    await start();
    fixture.clusters.script(clusterA, { outcome: wrongPin }, { outcome: wrongPin });
    const customKeyStoreId = await fixture.createStore();
    await connect(customKeyStoreId);
    await untilState(customKeyStoreId, 'FAILED');
    await disconnect(customKeyStoreId);
    await untilState(customKeyStoreId, 'DISCONNECTED');
    const request = { customKeyStoreId, newCustomKeyStoreName: 'renamed', cloudHsmClusterId: clusterA };
    await updateCustomKeyStore(fixture.core, { request }, fixture.context);
    await connect(customKeyStoreId);
    await untilState(customKeyStoreId, 'FAILED');
    const versions = fixture.clusters.connects.filter((attempt) => attempt.clusterId === clusterA);
    expect(new Set(versions.map((attempt) => attempt.credentialVersion))).toEqual(new Set([`${customKeyStoreId}:1`]));
    expect(await fixture.catalog.findStoreByName(fixture.context.principal, 'renamed')).toBeDefined();
  });

  test('a transient failure is reported, and not retried in the background', async () => {
    await start();
    fixture.clusters.script(clusterA, { outcome: networkError });
    const customKeyStoreId = await fixture.createStore();
    await connect(customKeyStoreId);
    await untilState(customKeyStoreId, 'FAILED');
    fixture.clock.advance(60_000);
    expect(fixture.clusters.connects.filter(({ clusterId }) => clusterId === clusterA)).toHaveLength(1);
  });

  test('a sealed password that does not open is an internal error, and nothing is tried', async () => {
    await start();
    const customKeyStoreId = await fixture.createStore();
    const change = {
      name: undefined,
      clusterId: undefined,
      password: { sealingKeyId: 'x', nonce: new Uint8Array(12), ciphertext: new Uint8Array(20) },
    };
    await fixture.catalog.updateStore(customKeyStoreId, ['DISCONNECTED'], change);
    await connect(customKeyStoreId);
    await untilState(customKeyStoreId, 'FAILED');
    expect((await storeOf(customKeyStoreId)).error).toBe('INTERNAL_ERROR');
    expect(fixture.clusters.connects.map(({ clusterId }) => clusterId)).not.toContain(clusterA);
  });
});

describe('disconnect', () => {
  test('takes the store out of use before it is closed', async () => {
    const registry = await start();
    const customKeyStoreId = await connectedStore();
    const location = { customKeyStoreId, clusterId: clusterA };
    expect(registry.clusterOf(location, keyArn).clusterId).toBe(clusterA);
    await disconnect(customKeyStoreId);
    expect(() => registry.clusterOf(location, keyArn)).toThrow(`${keyArn} is unavailable.`);
    await untilState(customKeyStoreId, 'DISCONNECTED');
    expect(fixture.clusters.open).toEqual(new Set([defaultCluster]));
  });

  test.each([
    ['succeeds late', {}],
    ['fails late', { outcome: wrongPin }],
  ])('wins over a connect that %s', async (_case, step) => {
    const registry = await start();
    const { until, open } = gate();
    fixture.clusters.script(clusterA, { ...step, until });
    const customKeyStoreId = await fixture.createStore();
    await connect(customKeyStoreId);
    await untilEvent(`connecting ${clusterA}`);
    await disconnect(customKeyStoreId);
    expect((await storeOf(customKeyStoreId)).state).toBe('DISCONNECTING');
    open();
    await untilState(customKeyStoreId, 'DISCONNECTED');
    expect((await storeOf(customKeyStoreId)).error).toBeNull();
    expect(fixture.clusters.open.has(clusterA)).toBe(false);
    expect(registry.connectedCluster(clusterA)).toBeUndefined();
    expect(fixture.events).toContain(`disconnecting ${clusterA}`);
    expect(fixture.events.at(-1)).toBe(`disconnected ${clusterA}`);
  });

  test('of another process closes the store here too', async () => {
    const registry = await start();
    const customKeyStoreId = await connectedStore();
    await fixture.catalog.changeConnectionState(customKeyStoreId, ['CONNECTED'], 'DISCONNECTED', null);
    fixture.clock.advance(5_000);
    await untilEvent(`disconnected ${clusterA}`);
    expect(registry.connectedCluster(clusterA)).toBeUndefined();
  });
});

describe('after a restart', () => {
  test('connected stores are CONNECTING until they are connected again, however long it takes', async () => {
    await start();
    const customKeyStoreId = await connectedStore();
    await fixture.registry.stop(0);
    expect((await storeOf(customKeyStoreId)).state).toBe('CONNECTED');
    expect(fixture.clusters.open.size).toBe(0);

    fixture.clusters.script(clusterA, { outcome: networkError }, { outcome: networkError });
    const registry = await start(fixture.anotherRegistry());
    await untilEvent(`failed ${clusterA} NETWORK_ERRORS 100`);
    expect((await storeOf(customKeyStoreId)).state).toBe('CONNECTING');
    expect(await registry.connectionStateOf(customKeyStoreId)).toBe('CONNECTING');
    fixture.clock.advance(100);
    await untilEvent(`failed ${clusterA} NETWORK_ERRORS 200`);
    fixture.clock.advance(200);
    await untilState(customKeyStoreId, 'CONNECTED');
    await untilEvent(`connected ${clusterA}`, 2);
    expect(registry.clusterOf({ customKeyStoreId, clusterId: clusterA }, keyArn).clusterId).toBe(clusterA);
  });

  test('a store whose credential is no longer accepted is FAILED, and stays so after the next restart', async () => {
    await start();
    const customKeyStoreId = await connectedStore();
    await fixture.registry.stop(0);
    fixture.clusters.script(clusterA, { outcome: wrongPin });
    const second = await start(fixture.anotherRegistry());
    await untilState(customKeyStoreId, 'FAILED');
    await second.stop(0);
    await start(fixture.anotherRegistry());
    expect((await storeOf(customKeyStoreId)).state).toBe('FAILED');
    expect(fixture.clusters.connects.filter(({ clusterId }) => clusterId === clusterA)).toHaveLength(2);
  });

  test('a store left CONNECTING is connected, one left DISCONNECTING is closed', async () => {
    const customKeyStoreId = await fixture.createStore();
    await fixture.catalog.changeConnectionState(customKeyStoreId, ['DISCONNECTED'], 'CONNECTING', null);
    const first = await start();
    await untilState(customKeyStoreId, 'CONNECTED');
    await first.stop(0);
    await fixture.catalog.changeConnectionState(customKeyStoreId, ['CONNECTED'], 'DISCONNECTING', null);
    await start(fixture.anotherRegistry());
    await untilState(customKeyStoreId, 'DISCONNECTED');
  });
});

describe('the default key store', () => {
  test('connects at the start, and again while the cause is transient', async () => {
    fixture.clusters.script(defaultCluster, { outcome: networkError });
    const registry = await start();
    await untilEvent(`failed ${defaultCluster} NETWORK_ERRORS 100`);
    expect(await registry.connectionStateOf(null)).toBe('CONNECTING');
    const location = { customKeyStoreId: null, clusterId: defaultCluster };
    const away = { code: 'KEY_UNAVAILABLE', retryable: true, retryAfterMs: 100 };
    await waitFor(() => expect(() => registry.clusterOf(location, keyArn)).toThrow(expect.objectContaining(away)));
    await expect(registry.clusterForNewKey(fixture.context.principal, undefined)).rejects.toMatchObject(away);
    fixture.clock.advance(100);
    await untilEvent(`connected ${defaultCluster}`);
    expect(await registry.connectionStateOf(null)).toBe('CONNECTED');
    expect(registry.clusterOf(location, keyArn).clusterId).toBe(defaultCluster);
    expect(await registry.clusterForNewKey(fixture.context.principal, undefined)).toMatchObject({
      origin: 'AWS_KMS',
      customKeyStoreId: null,
    });
  });

  test('a wrong PIN is not retried', async () => {
    fixture.clusters.script(defaultCluster, { outcome: wrongPin });
    const registry = await start();
    await untilEvent(`failed ${defaultCluster} INVALID_CREDENTIALS for good`);
    fixture.clock.advance(600_000);
    expect(await registry.connectionStateOf(null)).toBe('FAILED');
    expect(fixture.clusters.connects).toHaveLength(1);
    const forGood = { code: 'KEY_UNAVAILABLE', retryable: false, retryAfterMs: undefined };
    const { principal } = fixture.context;
    await expect(registry.clusterForNewKey(principal, undefined)).rejects.toMatchObject(forGood);
  });

  test('every process gives its credential the same name, which does not reveal the PIN', async () => {
    const first = await start();
    await untilEvent(`connected ${defaultCluster}`);
    await first.stop(0);
    await start(fixture.anotherRegistry());
    await untilEvent(`connected ${defaultCluster}`, 2);
    const [one, two] = fixture.clusters.connects;
    expect(one?.credentialVersion).toBe(two?.credentialVersion);
    expect(one?.credentialVersion).not.toContain('default-pin');
  });

  test('does not serve a key of another cluster', async () => {
    const registry = await start();
    await untilEvent(`connected ${defaultCluster}`);
    expect(() => registry.clusterOf({ customKeyStoreId: null, clusterId: clusterA }, keyArn)).toThrow(
      expect.objectContaining({ code: 'KEY_UNAVAILABLE', retryable: false }),
    );
  });
});

test('a custom store fails if its cluster became the default key store’s, which is not disturbed', async () => {
  const customKeyStoreId = await fixture.createStore();
  const change = { name: undefined, clusterId: defaultCluster, password: undefined };
  await fixture.catalog.updateStore(customKeyStoreId, ['DISCONNECTED'], change);
  await start();
  await untilEvent(`connected ${defaultCluster}`);
  await connect(customKeyStoreId);
  await untilState(customKeyStoreId, 'FAILED');
  expect((await storeOf(customKeyStoreId)).error).toBe('INTERNAL_ERROR');
  await disconnect(customKeyStoreId);
  await untilState(customKeyStoreId, 'DISCONNECTED');
  expect(fixture.clusters.open.has(defaultCluster)).toBe(true);
});

describe('errors for callers', () => {
  test('an unreachable cluster has a different code in a custom store', async () => {
    const registry = await start();
    const customKeyStoreId = await connectedStore();
    const { principal } = fixture.context;
    const cluster = registry.clusterOf({ customKeyStoreId, clusterId: clusterA }, keyArn);
    await expect(cluster.perform('random', { lengthBytes: 1 }, { deadlineMs: 0 })).rejects.toMatchObject({
      code: 'KMS_INVALID_STATE',
      message: 'KMS cannot communicate with your CloudHSM cluster',
      retryable: true,
      retryAfterMs: retryAfterUnreachableMs,
    });
    const random = await registry.clusterForRandom(principal, customKeyStoreId);
    await expect(random.perform('random', { lengthBytes: 1 }, { deadlineMs: 0 })).rejects.toMatchObject({
      code: 'CUSTOM_KEY_STORE_INVALID_STATE',
      retryable: true,
      retryAfterMs: retryAfterUnreachableMs,
    });
    const standard = await registry.clusterForRandom(principal, undefined);
    await expect(standard.perform('random', { lengthBytes: 1 }, { deadlineMs: 0 })).rejects.toMatchObject({
      code: 'KEY_UNAVAILABLE',
    });
  });

  test('a store for a new key must exist, in the scope, and be connected', async () => {
    const registry = await start();
    const { principal } = fixture.context;
    const customKeyStoreId = await fixture.createStore();
    await expect(registry.clusterForNewKey(principal, 'cks-unknown')).rejects.toMatchObject({
      code: 'CUSTOM_KEY_STORE_NOT_FOUND',
    });
    await expect(registry.clusterForNewKey(principal, customKeyStoreId)).rejects.toMatchObject({
      code: 'CUSTOM_KEY_STORE_INVALID_STATE',
    });
    await connect(customKeyStoreId);
    await untilEvent(`connected ${clusterA}`);
    const stranger = { ...principal, account: '444455556666' };
    await expect(registry.clusterForNewKey(stranger, customKeyStoreId)).rejects.toMatchObject({
      code: 'CUSTOM_KEY_STORE_NOT_FOUND',
    });
    expect(await registry.clusterForNewKey(principal, customKeyStoreId)).toMatchObject({
      customKeyStoreId,
      origin: 'AWS_CLOUDHSM',
      description: { clusterId: clusterA },
    });
  });
});

describe('a catalog that fails while a store connects', () => {
  test('leaves no cluster open behind: the next reconciliation connects the store', async () => {
    await start();
    const customKeyStoreId = await fixture.createStore();
    const changeConnectionState = fixture.catalog.changeConnectionState.bind(fixture.catalog);
    let failures = 1;
    fixture.catalog.changeConnectionState = (id, from, to, errorCode) => {
      if (to === 'CONNECTED' && failures-- > 0) return Promise.reject(new Error('the catalog is busy'));
      return changeConnectionState(id, from, to, errorCode);
    };
    await connect(customKeyStoreId);
    await untilEvent(`job failed ${customKeyStoreId}: Error: the catalog is busy`);
    expect(fixture.clusters.open).not.toContain(clusterA);
    fixture.clock.advance(5_000);
    await untilState(customKeyStoreId, 'CONNECTED');
    await untilEvent(`connected ${clusterA}`);
  });
});
