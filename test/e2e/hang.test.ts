import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HoldfastClient, Message } from './client.js';
import {
  connectedKeyStore,
  connectionState,
  Deployment,
  eventually,
  type RunningServer,
  type SpawnedServer,
} from './deployment.js';

/** Long enough for a call that does not hang, on a busy machine. */
const operationTimeoutMs = 1_500;
/** The time that a server would take if it missed its bounds; no test waits this long. */
const farBeyondMs = 300_000;
const drainTimeoutMs = 1_500;
/** Twice the drain, and a margin for a busy machine. */
const exitBoundMs = 20_000;

let deployment: Deployment;
let client: HoldfastClient;

beforeEach(() => {
  deployment = new Deployment({
    customClusters: ['custom', 'other'],
    faulty: ['custom'],
    configure: (configuration) => {
      const requestTimeoutMs = 10 * operationTimeoutMs;
      const connectTimeoutMs = farBeyondMs;
      configuration['limits'] = { operationTimeoutMs, requestTimeoutMs, connectTimeoutMs, drainTimeoutMs };
    },
  });
});

afterEach(() => {
  expect(deployment.findSecrets()).toEqual([]);
  deployment.dispose();
});

interface KeyOfTest {
  keyId: unknown;
  plaintext: Buffer;
  ciphertext: unknown;
}

async function keyWithCiphertext(request: Message): Promise<KeyOfTest> {
  const { key_id: keyId } = (await client.call('CreateKey', request))['key_metadata'] as Message;
  const plaintext = randomBytes(32);
  deployment.ledger.add('plaintext', plaintext);
  const { ciphertext_blob: ciphertext } = await client.call('Encrypt', { key_id: keyId, plaintext });
  return { keyId, plaintext, ciphertext };
}

async function keyInStore(): Promise<KeyOfTest> {
  const storeId = await connectedKeyStore(client, deployment);
  return keyWithCiphertext({ origin: 'ORIGIN_AWS_CLOUDHSM', custom_key_store_id: storeId });
}

async function expectWorks({ keyId, plaintext, ciphertext }: KeyOfTest): Promise<void> {
  await client.call('Encrypt', { key_id: keyId, plaintext });
  const decrypted = await client.call('Decrypt', { ciphertext_blob: ciphertext });
  expect(Buffer.from(decrypted['plaintext'] as Uint8Array).equals(plaintext)).toBe(true);
}

function logLines(message: string): Message[] {
  return readFileSync(deployment.logPath, 'utf8')
    .split('\n')
    .filter((line) => line.includes(`"msg":"${message}"`))
    .map((line) => JSON.parse(line) as Message);
}

/** Resolves when the faulty module has received `count` more calls of a function than `before`. */
function called(functionName: string, before: number): Promise<void> {
  return eventually(() => {
    const asked = deployment.fault('custom').calls(functionName) > before;
    return asked ? Promise.resolve() : Promise.reject(new Error(`${functionName} was not called yet`));
  }, 10);
}

describe('a call that hangs in the HSM', () => {
  let server: RunningServer;

  beforeEach(async () => {
    server = await deployment.start();
    client = server.client();
    await server.defaultKeyStoreConnected(client);
  });

  afterEach(() => server.stop());

  it.each(['C_Encrypt', 'C_Decrypt'])(
    '%s: the request is answered while it hangs, other clusters keep working, and all is well when it returns',
    async (functionName) => {
      const elsewhere = await keyWithCiphertext({});
      const key = await keyInStore();
      const { keyId, plaintext, ciphertext } = key;
      const ask = () =>
        functionName === 'C_Encrypt'
          ? client.refusal('Encrypt', { key_id: keyId, plaintext })
          : client.refusal('Decrypt', { ciphertext_blob: ciphertext });
      const fault = deployment.fault('custom');
      fault.obey(`${functionName} hang`);
      expect(await ask()).toMatchObject({ reason: 'DEPENDENCY_TIMEOUT' });
      await expectWorks(elsewhere);
      const [quarantined] = logLines('lane quarantined');
      expect(quarantined).toMatchObject({ clusterId: deployment.customCluster.clusterId, memberName: 'a' });
      expect(logLines('member suspended')).not.toEqual([]);
      fault.heal();
      await eventually(() => expectWorks(key));
      expect(logLines('member resumed')).not.toEqual([]);
    },
  );

  it('many requests at once are all answered while a call hangs, and none blames its caller', async () => {
    const elsewhere = await keyWithCiphertext({});
    const key = await keyInStore();
    const fault = deployment.fault('custom');
    fault.obey('C_Encrypt hang', 'C_Decrypt hang');
    const requests = Array.from({ length: 60 }, (_, index) =>
      index % 2 === 0
        ? client.refusal('Encrypt', { key_id: key.keyId, plaintext: key.plaintext })
        : client.refusal('Decrypt', { ciphertext_blob: key.ciphertext }),
    );
    const working = Array.from({ length: 60 }, () => expectWorks(elsewhere));
    const reasons = new Set((await Promise.all(requests)).map(({ reason }) => reason));
    await Promise.all(working);
    expect(
      [...reasons].filter((reason) => !['DEPENDENCY_TIMEOUT', 'KMS_INVALID_STATE'].includes(reason ?? '')),
    ).toEqual([]);
    fault.heal();
    await eventually(() => expectWorks(key));
    expect(logLines('request refused').filter(({ errorCode }) => errorCode === 'INVALID_CIPHERTEXT')).toEqual([]);
  });

  it('a hung HSM costs a bounded number of lanes, however long and often it is tried', async () => {
    const key = await keyInStore();
    const fault = deployment.fault('custom');
    const before = fault.calls('C_Encrypt');
    fault.obey('C_Encrypt hang');
    const probes = () => logLines('member resumed').length + logLines('member probe failed').length;
    for (let round = 0; round < 3; round += 1) {
      const probed = probes();
      await Promise.all(
        Array.from({ length: 8 }, () => client.refusal('Encrypt', { key_id: key.keyId, plaintext: key.plaintext })),
      );
      // Probes decrypt: while a lane is left, each readmits the member, so the next request hangs again.
      await eventually(() => (probes() > probed ? Promise.resolve() : Promise.reject(new Error('not probed yet'))));
    }
    // Two lanes, and the two that replaced them.
    expect(fault.calls('C_Encrypt') - before).toBeLessThanOrEqual(4);
    fault.heal();
    await eventually(() => expectWorks(key));
  });

  it('a store with a hung call can be disconnected and connected again while it hangs', async () => {
    const key = await keyInStore();
    const described = (await client.call('DescribeKey', { key_id: key.keyId }))['key_metadata'] as Message;
    const store = { custom_key_store_id: described['custom_key_store_id'] };
    const fault = deployment.fault('custom');
    fault.obey('C_Encrypt hang');
    const refused = await client.refusal('Encrypt', { key_id: key.keyId, plaintext: key.plaintext });
    expect(refused).toMatchObject({ reason: 'DEPENDENCY_TIMEOUT' });
    await client.call('DisconnectCustomKeyStore', store);
    await connectionState(client, String(store.custom_key_store_id), 'DISCONNECTED');
    expect(logLines('lanes still hung at close')).toHaveLength(1);
    await client.call('ConnectCustomKeyStore', store);
    await connectionState(client, String(store.custom_key_store_id), 'CONNECTED');
    const decrypted = await client.call('Decrypt', { ciphertext_blob: key.ciphertext });
    expect(Buffer.from(decrypted['plaintext'] as Uint8Array).equals(key.plaintext)).toBe(true);
    fault.heal();
    await expectWorks(key);
  });

  it('a create that hangs is answered, and its key does not exist afterwards', async () => {
    const key = await keyInStore();
    const storeId = ((await client.call('DescribeKey', { key_id: key.keyId }))['key_metadata'] as Message)[
      'custom_key_store_id'
    ];
    const fault = deployment.fault('custom');
    const request = { origin: 'ORIGIN_AWS_CLOUDHSM', custom_key_store_id: storeId };
    fault.obey('C_GenerateKey hang');
    expect(await client.refusal('CreateKey', request)).toMatchObject({ reason: 'DEPENDENCY_TIMEOUT' });
    fault.heal();
    await eventually(() => expectWorks(key));
    expect((await client.call('ListKeys', {}))['keys']).toHaveLength(1);
    await eventually(() => client.call('CreateKey', request));
  });
});

describe('a module that hangs in C_Initialize', () => {
  it('does not keep other modules from connecting', async () => {
    const server = await deployment.start();
    client = server.client();
    await server.defaultKeyStoreConnected(client);
    const [faulty, other] = deployment.customClusters;
    const storeOn = async (cluster = faulty) => {
      const created = await client.call('CreateCustomKeyStore', {
        custom_key_store_name: cluster?.tokenLabel,
        cloud_hsm_cluster_id: cluster?.clusterId,
        trust_anchor_certificate: deployment.trustAnchor,
        key_store_password: cluster?.pin,
      });
      return created['custom_key_store_id'] as string;
    };
    const fault = deployment.fault('custom');
    fault.obey('C_Initialize hang');
    const hung = await storeOn(faulty);
    await client.call('ConnectCustomKeyStore', { custom_key_store_id: hung });
    await called('C_Initialize', 0);
    await connectedKeyStore(client, deployment, other);
    expect(await connectionState(client, hung, 'CONNECTING')).toBeDefined();
    fault.heal();
    await connectionState(client, hung, 'CONNECTED');
    await server.stop();
  });
});

describe('SIGTERM', () => {
  let server: SpawnedServer;

  beforeEach(async () => {
    server = await deployment.spawn();
    client = server.client();
    await server.defaultKeyStoreConnected(client);
  });

  async function expectQuietExit(): Promise<void> {
    const startedMs = performance.now();
    expect(await server.end('SIGTERM')).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(exitBoundMs);
    expect(logLines('stopped')).toHaveLength(1);
  }

  it('with a lane that still hangs: exit 0 within the bound, with everything written', async () => {
    const key = await keyInStore();
    deployment.fault('custom').obey('C_Encrypt hang');
    const refused = await client.refusal('Encrypt', { key_id: key.keyId, plaintext: key.plaintext });
    expect(refused).toMatchObject({ reason: 'DEPENDENCY_TIMEOUT' });
    await expectQuietExit();
    expect(logLines('lanes still hung at close')).toHaveLength(1);
    expect(deployment.auditRecords().at(-1)).toMatchObject({ operation: 'Encrypt', errorCode: 'DEPENDENCY_TIMEOUT' });
  });

  it('with a login that hangs: exit 0 within the bound', async () => {
    const { customCluster, trustAnchor } = deployment;
    const created = await client.call('CreateCustomKeyStore', {
      custom_key_store_name: 'store',
      cloud_hsm_cluster_id: customCluster.clusterId,
      trust_anchor_certificate: trustAnchor,
      key_store_password: customCluster.pin,
    });
    deployment.fault('custom').obey('C_Login hang');
    await client.call('ConnectCustomKeyStore', created);
    await called('C_Login', 0);
    await expectQuietExit();
  });

  it('lets requests in flight finish, and answers them', async () => {
    const key = await keyInStore();
    const fault = deployment.fault('custom');
    fault.obey('C_Encrypt delay 200');
    const before = fault.calls('C_Encrypt');
    const encrypting = client.call('Encrypt', { key_id: key.keyId, plaintext: key.plaintext });
    await called('C_Encrypt', before);
    const exit = server.end('SIGTERM');
    expect(await encrypting).toHaveProperty('ciphertext_blob');
    expect(await exit).toBe(0);
    expect(deployment.auditRecords().at(-1)).toMatchObject({ operation: 'Encrypt', outcome: 'success' });
  });
});
