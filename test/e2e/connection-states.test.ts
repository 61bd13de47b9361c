import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TokenReader, userPinCountLow } from '../token-reader.js';
import type { HoldfastClient, Message } from './client.js';
import {
  type ClusterOfTest,
  connectedKeyStore,
  connectionState,
  Deployment,
  eventually,
  type RunningServer,
  randomPin,
} from './deployment.js';

const invalidState = { reason: 'CUSTOM_KEY_STORE_INVALID_STATE' };
const finalTry = 0x2_0000;

/** Long enough for a login on a busy machine; a test that uses it up waits this long. */
const connectTimeoutMs = 5_000;

let deployment: Deployment;
let server: RunningServer;
let client: HoldfastClient;

/** A deployment with two custom clusters: `custom`, whose module fails on demand, and `missing`, which has no token. */
function newDeployment(faulty: string[]): Deployment {
  return new Deployment({
    customClusters: ['custom', 'missing'],
    faulty,
    configure: (configuration) => {
      const missing = (configuration['clusters'] as { name: string; members: Message[] }[])[2];
      if (missing?.members[0] !== undefined) missing.members[0]['tokenLabel'] = 'nowhere';
      configuration['limits'] = { connectTimeoutMs };
    },
  });
}

async function start(): Promise<void> {
  server = await deployment.start();
  client = server.client();
}

async function restart(): Promise<void> {
  await server.stop();
  await start();
}

async function dispose(): Promise<void> {
  await server.stop();
  expect(deployment.findSecrets()).toEqual([]);
  deployment.dispose();
}

async function createStore(cluster: ClusterOfTest, password = cluster.pin): Promise<string> {
  const created = await client.call('CreateCustomKeyStore', {
    custom_key_store_name: `store on ${cluster.tokenLabel}`,
    cloud_hsm_cluster_id: cluster.clusterId,
    trust_anchor_certificate: deployment.trustAnchor,
    key_store_password: password,
  });
  return created['custom_key_store_id'] as string;
}

const on = (id: string): Message => ({ custom_key_store_id: id });
const connect = (id: string) => client.call('ConnectCustomKeyStore', on(id));
const disconnect = (id: string) => client.call('DisconnectCustomKeyStore', on(id));
const inState = (id: string, state: string) => connectionState(client, id, state);
const customLogins = () => deployment.fault('custom').calls('C_Login');

async function expectFailed(id: string, errorCode: string): Promise<void> {
  const { connection_error_code: code } = await inState(id, 'FAILED');
  expect(code).toBe(`CONNECTION_ERROR_CODE_${errorCode}`);
}

async function disconnected(id: string): Promise<void> {
  await disconnect(id);
  const store = await inState(id, 'DISCONNECTED');
  expect(store).not.toHaveProperty('connection_error_code');
}

/** A password that is not the token's. */
function wrongPassword(): string {
  const password = randomPin();
  deployment.ledger.add('wrong password', password);
  return password;
}

describe('custom key stores on real tokens', () => {
  beforeEach(async () => {
    deployment = newDeployment(['custom']);
    await start();
  });

  afterEach(dispose);

  it('a wrong password: FAILED after one login, however often a connect is repeated, until it is updated', async () => {
    const token = new TokenReader(deployment.softHsm, 'custom', deployment.customCluster.pin);
    const id = await createStore(deployment.customCluster, wrongPassword());
    expect(await inState(id, 'DISCONNECTED')).toBeDefined();
    await connect(id);
    await expectFailed(id, 'INVALID_CREDENTIALS');
    expect(customLogins()).toBe(1);
    expect(token.flags() & userPinCountLow).toBe(userPinCountLow);

    expect(await client.refusal('ConnectCustomKeyStore', on(id))).toMatchObject(invalidState);
    const update = { ...on(id), key_store_password: deployment.customCluster.pin };
    expect(await client.refusal('UpdateCustomKeyStore', update)).toMatchObject(invalidState);
    for (let start = 0; start < 3; start += 1) {
      await restart();
      await expectFailed(id, 'INVALID_CREDENTIALS');
    }
    await disconnected(id);
    await connect(id);
    await expectFailed(id, 'INVALID_CREDENTIALS');
    expect(customLogins()).toBe(1);

    await disconnected(id);
    await client.call('UpdateCustomKeyStore', update);
    await connect(id);
    await inState(id, 'CONNECTED');
    expect(customLogins()).toBe(2);
    expect(token.flags() & userPinCountLow).toBe(0);
  });

  it('a second wrong password is one more login', async () => {
    const id = await createStore(deployment.customCluster, wrongPassword());
    await connect(id);
    await expectFailed(id, 'INVALID_CREDENTIALS');
    await disconnected(id);
    await client.call('UpdateCustomKeyStore', { ...on(id), key_store_password: wrongPassword() });
    await connect(id);
    await expectFailed(id, 'INVALID_CREDENTIALS');
    expect(customLogins()).toBe(2);
  });

  it('a locked PIN: USER_LOCKED_OUT, and the same password works once the token is unlocked', async () => {
    const fault = deployment.fault('custom');
    fault.obey('C_Login rv 0xa4');
    const id = await createStore(deployment.customCluster);
    await connect(id);
    await expectFailed(id, 'USER_LOCKED_OUT');
    expect(customLogins()).toBe(1);
    fault.heal();
    await disconnected(id);
    await connect(id);
    await inState(id, 'CONNECTED');
  });

  it('one attempt left: no login at all', async () => {
    const fault = deployment.fault('custom');
    fault.obey(`C_GetTokenInfo flags ${finalTry}`);
    const id = await createStore(deployment.customCluster);
    await connect(id);
    await expectFailed(id, 'USER_LOCKED_OUT');
    expect(customLogins()).toBe(0);
    fault.heal();
    await disconnected(id);
    await connect(id);
    await inState(id, 'CONNECTED');
    expect(customLogins()).toBe(1);
  });

  it('a missing token: CLUSTER_NOT_FOUND; a broken one: NETWORK_ERRORS', async () => {
    const [, missing] = deployment.customClusters;
    if (missing === undefined) throw new Error('There are two custom clusters.');
    const nowhere = await createStore(missing);
    await connect(nowhere);
    await expectFailed(nowhere, 'CLUSTER_NOT_FOUND');

    const fault = deployment.fault('custom');
    fault.obey('C_Initialize rv 0x30');
    const broken = await createStore(deployment.customCluster);
    await connect(broken);
    await expectFailed(broken, 'NETWORK_ERRORS');
    expect(customLogins()).toBe(0);
    fault.heal();
    await disconnected(broken);
    await connect(broken);
    await inState(broken, 'CONNECTED');
  });

  it('connect while CONNECTING changes nothing; disconnect cancels it; DISCONNECTING refuses both', async () => {
    const fault = deployment.fault('custom');
    fault.obey('C_Login hang');
    const id = await createStore(deployment.customCluster);
    await connect(id);
    await inState(id, 'CONNECTING');
    await connect(id);
    await inState(id, 'CONNECTING');
    expect(await client.refusal('CreateKey', { origin: 'ORIGIN_AWS_CLOUDHSM', ...on(id) })).toMatchObject(invalidState);
    expect(await client.refusal('DeleteCustomKeyStore', on(id))).toMatchObject(invalidState);
    const rename = { ...on(id), new_custom_key_store_name: 'another' };
    expect(await client.refusal('UpdateCustomKeyStore', rename)).toMatchObject(invalidState);
    await disconnect(id);
    await inState(id, 'DISCONNECTING');
    expect(await client.refusal('ConnectCustomKeyStore', on(id))).toMatchObject(invalidState);
    expect(await client.refusal('DisconnectCustomKeyStore', on(id))).toMatchObject(invalidState);
    expect(await client.refusal('DeleteCustomKeyStore', on(id))).toMatchObject(invalidState);
    fault.heal();
    await inState(id, 'DISCONNECTED');
    expect(customLogins()).toBe(1);
    await connect(id);
    await inState(id, 'CONNECTED');
  });

  it('a login that hangs beyond its time: NETWORK_ERRORS, and the password does not count as refused', async () => {
    const fault = deployment.fault('custom');
    fault.obey('C_Login hang');
    const id = await createStore(deployment.customCluster);
    await connect(id);
    await expectFailed(id, 'NETWORK_ERRORS');
    // The other stores of the server, and the server itself, kept working meanwhile.
    await server.defaultKeyStoreConnected(client);
    fault.heal();
    await disconnected(id);
    await connect(id);
    await inState(id, 'CONNECTED');
  });

  it('an unconnected store: its keys are unavailable, none is made in it, and it keeps its keys', async () => {
    const id = await connectedKeyStore(client, deployment);
    const inStore = { origin: 'ORIGIN_AWS_CLOUDHSM', ...on(id) };
    const { key_id: keyId, arn } = (await client.call('CreateKey', inStore))['key_metadata'] as Message;
    const plaintext = randomBytes(32);
    deployment.ledger.add('plaintext', plaintext);
    const { ciphertext_blob: ciphertext } = await client.call('Encrypt', { key_id: keyId, plaintext });
    expect(await client.refusal('DeleteCustomKeyStore', on(id))).toMatchObject(invalidState);

    await disconnected(id);
    const unavailable = {
      reason: 'KMS_INVALID_STATE',
      message: `${String(arn)} is unavailable.`,
      info: { retryable: 'false', key_state: 'KEY_STATE_UNAVAILABLE' },
    };
    expect(await client.refusal('Encrypt', { key_id: keyId, plaintext })).toMatchObject(unavailable);
    expect(await client.refusal('Decrypt', { ciphertext_blob: ciphertext })).toMatchObject(unavailable);
    const dataKey = { key_id: keyId, number_of_bytes: 32 };
    expect(await client.refusal('GenerateDataKey', dataKey)).toMatchObject(unavailable);
    expect(await client.refusal('CreateKey', inStore)).toMatchObject(invalidState);
    const random = { number_of_bytes: 32, ...on(id) };
    expect(await client.refusal('GenerateRandom', random)).toMatchObject(invalidState);
    const stateOf = async () =>
      ((await client.call('DescribeKey', { key_id: keyId }))['key_metadata'] as Message)['key_state'];
    expect(await stateOf()).toBe('KEY_STATE_UNAVAILABLE');
    expect(await client.refusal('DeleteCustomKeyStore', on(id))).toMatchObject({ reason: 'CUSTOM_KEY_STORE_HAS_CMKS' });
    expect(await client.refusal('DisconnectCustomKeyStore', on(id))).toMatchObject(invalidState);
    // AWS key states, note 12: changes made meanwhile take effect when the store is connected again.
    await client.call('DisableKey', { key_id: keyId });
    expect(await stateOf()).toBe('KEY_STATE_UNAVAILABLE');

    await connect(id);
    await inState(id, 'CONNECTED');
    expect(await stateOf()).toBe('KEY_STATE_DISABLED');
    await client.call('EnableKey', { key_id: keyId });
    const decrypted = await client.call('Decrypt', { ciphertext_blob: ciphertext });
    expect(Buffer.from(decrypted['plaintext'] as Uint8Array).equals(plaintext)).toBe(true);
  });

  it('after a restart: a connected store connects by itself, a disconnected one stays so', async () => {
    const id = await connectedKeyStore(client, deployment);
    await restart();
    await inState(id, 'CONNECTED');
    await client.call('CreateKey', { origin: 'ORIGIN_AWS_CLOUDHSM', ...on(id) });
    await disconnected(id);
    const logins = customLogins();
    await restart();
    await server.defaultKeyStoreConnected(client);
    await inState(id, 'DISCONNECTED');
    expect(customLogins()).toBe(logins);
  });

  it('after a restart without its HSM: it is CONNECTING until the HSM is back', async () => {
    const id = await connectedKeyStore(client, deployment);
    await server.stop();
    const fault = deployment.fault('custom');
    fault.obey('C_Initialize rv 0x30');
    await start();
    await server.defaultKeyStoreConnected(client);
    await inState(id, 'CONNECTING');
    fault.heal();
    await inState(id, 'CONNECTED');
  });

  it('killed while it connects: after the restart it continues with the same password', async () => {
    const fault = deployment.fault('custom');
    const id = await createStore(deployment.customCluster);
    await server.stop();
    const spawned = await deployment.spawn();
    fault.obey('C_Login hang');
    await spawned.client().call('ConnectCustomKeyStore', on(id));
    await eventually(() => (customLogins() > 0 ? Promise.resolve() : Promise.reject(new Error('not yet'))));
    expect(await spawned.end('SIGKILL')).toBe('SIGKILL');
    fault.heal();
    await start();
    await inState(id, 'CONNECTED');
    expect(customLogins()).toBe(2);
  });

  it('another trust anchor, another cluster’s id, the default cluster: refused', async () => {
    const { customCluster, defaultCluster } = deployment;
    const request = {
      custom_key_store_name: 'store',
      cloud_hsm_cluster_id: customCluster.clusterId,
      trust_anchor_certificate: deployment.trustAnchor,
      key_store_password: customCluster.pin,
    };
    const refusal = (change: Message) => client.refusal('CreateCustomKeyStore', { ...request, ...change });
    const foreign = deployment.otherAuthority.certificate.toString();
    expect(await refusal({ trust_anchor_certificate: foreign })).toMatchObject({ reason: 'INCORRECT_TRUST_ANCHOR' });
    const inUse = { reason: 'CLOUD_HSM_CLUSTER_IN_USE' };
    expect(await refusal({ cloud_hsm_cluster_id: defaultCluster.clusterId })).toMatchObject(inUse);
    const unknown = { reason: 'CLOUD_HSM_CLUSTER_NOT_FOUND' };
    expect(await refusal({ cloud_hsm_cluster_id: 'cluster-2222222222a' })).toMatchObject(unknown);
    await createStore(customCluster);
    expect(await refusal({})).toMatchObject(inUse);
  });
});

describe('a default key store with a wrong PIN', () => {
  const pinFile = () => join(deployment.folder, 'default.pin');
  const defaultLogins = () => deployment.fault('default').calls('C_Login');

  beforeAll(() => {
    deployment = newDeployment(['default']);
  });

  afterAll(dispose);

  it('tries it once over three restarts, and serves the custom key stores', async () => {
    writeFileSync(pinFile(), wrongPassword());
    await start();
    const id = await connectedKeyStore(client, deployment);
    for (let restarts = 0; restarts < 3; restarts += 1) {
      await inState(id, 'CONNECTED');
      await client.call('CreateKey', { origin: 'ORIGIN_AWS_CLOUDHSM', ...on(id) });
      expect(await client.refusal('CreateKey', {})).toMatchObject({
        reason: 'KEY_UNAVAILABLE',
        info: { retryable: 'false' },
      });
      expect(defaultLogins()).toBe(1);
      await restart();
    }
    await server.stop();
    writeFileSync(pinFile(), deployment.defaultCluster.pin);
    await start();
    await server.defaultKeyStoreConnected(client);
    await client.call('CreateKey', {});
    expect(defaultLogins()).toBe(2);
  });
});
