import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Clock } from '../../src/clock.js';
import { systemClock } from '../../src/clock-system.js';
import { movedBoot } from '../moved-boot.js';
import { TokenReader } from '../token-reader.js';
import type { HoldfastClient, Message } from './client.js';
import { connectedKeyStore, connectionState, Deployment, type RunningServer } from './deployment.js';

const dayMs = 24 * 3_600_000;

/** The machine's clocks, with days that the test lets pass; deadlines stay real. */
const clock: Clock & { offsetMs: number } = {
  ...systemClock,
  offsetMs: 0,
  now: () => new Date(systemClock.now().getTime() + clock.offsetMs),
  boot: () => movedBoot(clock.offsetMs),
};

const deployment = new Deployment();
const { customCluster, defaultCluster, softHsm } = deployment;
const customToken = new TokenReader(softHsm, customCluster.tokenLabel, customCluster.pin);
const defaultToken = new TokenReader(softHsm, defaultCluster.tokenLabel, defaultCluster.pin);
let server: RunningServer;
let client: HoldfastClient;
let storeId: string;

interface KeyOfTest {
  keyId: string;
  arn: string;
  ciphertext: unknown;
}

async function keyWithCiphertext(request: Message = {}): Promise<KeyOfTest> {
  const { key_id: keyId, arn } = (await client.call('CreateKey', request))['key_metadata'] as Message;
  const plaintext = randomBytes(32);
  deployment.ledger.add('plaintext', plaintext);
  const { ciphertext_blob: ciphertext } = await client.call('Encrypt', { key_id: keyId, plaintext });
  return { keyId: keyId as string, arn: arn as string, ciphertext };
}

const inStore = () => ({ origin: 'ORIGIN_AWS_CLOUDHSM', custom_key_store_id: storeId });
const schedule = (keyId: string) => client.call('ScheduleKeyDeletion', { key_id: keyId, pending_window_in_days: 7 });
const labels = (token: TokenReader) => token.secretKeys().map(({ CKA_LABEL }) => CKA_LABEL);

async function stateOf(keyId: string): Promise<unknown> {
  return ((await client.call('DescribeKey', { key_id: keyId }))['key_metadata'] as Message)['key_state'];
}

async function afterDays(days: number): Promise<void> {
  clock.offsetMs += days * dayMs;
  await server.server.keyDeletion.runNow();
}

function tombstoneOf(keyId: string): unknown {
  const database = new Database(join(deployment.folder, 'catalog.sqlite'), { readonly: true });
  const query =
    'select state, destroyed_date from keys join materials using (account, region, key_id) where key_id = ?';
  try {
    return database.prepare(query).get(keyId);
  } finally {
    database.close();
  }
}

async function disconnect(): Promise<void> {
  await client.call('DisconnectCustomKeyStore', { custom_key_store_id: storeId });
  await connectionState(client, storeId, 'DISCONNECTED');
}

async function connect(): Promise<void> {
  await client.call('ConnectCustomKeyStore', { custom_key_store_id: storeId });
  await connectionState(client, storeId, 'CONNECTED');
}

beforeAll(async () => {
  server = await deployment.start({ clock });
  client = server.client();
  await server.defaultKeyStoreConnected(client);
  storeId = await connectedKeyStore(client, deployment);
});

afterAll(async () => {
  await server.stop();
  expect(deployment.findSecrets()).toEqual([]);
  deployment.dispose();
});

it('a cancelled deletion leaves the key Disabled and its material in place', async () => {
  const { keyId, arn, ciphertext } = await keyWithCiphertext(inStore());
  const scheduled = await schedule(keyId);
  expect(scheduled).toMatchObject({ key_state: 'KEY_STATE_PENDING_DELETION', pending_window_in_days: 7 });
  const refused = { reason: 'KMS_INVALID_STATE', message: `${arn} is pending deletion.` };
  expect(await client.refusal('Decrypt', { ciphertext_blob: ciphertext })).toMatchObject(refused);
  expect(await client.refusal('EnableKey', { key_id: keyId })).toMatchObject(refused);
  await afterDays(6.99);
  expect(labels(customToken)).toContain(arn);
  await client.call('CancelKeyDeletion', { key_id: keyId });
  expect(await stateOf(keyId)).toBe('KEY_STATE_DISABLED');
  await afterDays(1);
  expect(labels(customToken)).toContain(arn);
  await client.call('EnableKey', { key_id: keyId });
  await client.call('Decrypt', { ciphertext_blob: ciphertext });
  await schedule(keyId);
  await afterDays(7.01);
});

it('at its date the material is destroyed, the key and its aliases are removed, and a tombstone stays', async () => {
  for (const [token, request] of [
    [customToken, inStore()],
    [defaultToken, {}],
  ] as const) {
    const bystander = await keyWithCiphertext(request);
    const { keyId, arn, ciphertext } = await keyWithCiphertext(request);
    await client.call('CreateAlias', { alias_name: 'alias/doomed', target_key_id: keyId });
    await schedule(keyId);
    await afterDays(6.99);
    expect(await stateOf(keyId)).toBe('KEY_STATE_PENDING_DELETION');
    expect(labels(token)).toContain(arn);
    await afterDays(0.02);
    expect(labels(token)).not.toContain(arn);
    expect(labels(token)).toContain(bystander.arn);

    const gone = { reason: 'NOT_FOUND' };
    expect(await client.refusal('DescribeKey', { key_id: keyId })).toMatchObject(gone);
    expect(await client.refusal('DescribeKey', { key_id: 'alias/doomed' })).toMatchObject(gone);
    expect(await client.refusal('CancelKeyDeletion', { key_id: keyId })).toMatchObject(gone);
    expect(await client.refusal('Encrypt', { key_id: keyId, plaintext: Buffer.from('x') })).toMatchObject(gone);
    expect(await client.refusal('Decrypt', { ciphertext_blob: ciphertext })).toMatchObject({
      reason: 'NOT_FOUND',
    });
    const keys = (await client.call('ListKeys', {}))['keys'] as Message[];
    expect(keys.map((key) => key['key_id'])).not.toContain(keyId);
    expect(tombstoneOf(keyId)).toMatchObject({ state: 'Deleted', destroyed_date: expect.any(Number) as number });
    await client.call('Decrypt', { ciphertext_blob: bystander.ciphertext });
    // The name is free again.
    await client.call('CreateAlias', { alias_name: 'alias/doomed', target_key_id: bystander.keyId });
    await client.call('DeleteAlias', { alias_name: 'alias/doomed' });
  }
});

it('a deletion waits while the store is disconnected, and is done once it is connected', async () => {
  const { keyId, arn } = await keyWithCiphertext(inStore());
  await schedule(keyId);
  await disconnect();
  await afterDays(8);
  expect(labels(customToken)).toContain(arn);
  expect(await stateOf(keyId)).toBe('KEY_STATE_PENDING_DELETION');
  await connect();
  await afterDays(0);
  expect(labels(customToken)).not.toContain(arn);
  expect(await client.refusal('DescribeKey', { key_id: keyId })).toMatchObject({ reason: 'NOT_FOUND' });
});

it('destroyed material that reappears is destroyed again when the cluster connects', async () => {
  const { keyId, arn } = await keyWithCiphertext(inStore());
  const [object] = customToken.secretKeys().filter(({ CKA_LABEL }) => CKA_LABEL === arn);
  await schedule(keyId);
  await afterDays(7.01);
  expect(labels(customToken)).not.toContain(arn);
  customToken.plant(object?.CKA_ID ?? '', arn, randomBytes(32));
  await disconnect();
  await connect();
  await server.server.intentRecovery.checkInventory(customCluster.clusterId);
  expect(labels(customToken)).not.toContain(arn);
});

it('a store can be deleted once its last key is destroyed', async () => {
  const keys = labels(customToken).map((arn) => arn.slice(arn.lastIndexOf('/') + 1));
  for (const keyId of keys) await schedule(keyId);
  await disconnect();
  const request = { custom_key_store_id: storeId };
  expect(await client.refusal('DeleteCustomKeyStore', request)).toMatchObject({ reason: 'CUSTOM_KEY_STORE_HAS_CMKS' });
  await connect();
  await afterDays(7.01);
  expect(customToken.secretKeys()).toEqual([]);
  await disconnect();
  await client.call('DeleteCustomKeyStore', request);
  expect(await client.refusal('DescribeCustomKeyStores', request)).toMatchObject({
    reason: 'CUSTOM_KEY_STORE_NOT_FOUND',
  });
  for (const keyId of keys) expect(tombstoneOf(keyId)).toMatchObject({ state: 'Deleted' });
});
