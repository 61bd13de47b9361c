import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { HoldfastClient, Message } from './client.js';
import { connectedKeyStore, Deployment, randomPin, type SpawnedServer } from './deployment.js';
import { SecretLedger } from './secret-ledger.js';

const deployment = new Deployment({ customClusters: ['custom', 'unused'] });
let server: SpawnedServer;
let client: HoldfastClient;
let storeId: string;

beforeAll(async () => {
  server = await deployment.spawn();
  client = server.client();
  await server.defaultKeyStoreConnected(client);
  storeId = await connectedKeyStore(client, deployment);
});

afterAll(async () => {
  expect(await server.end('SIGTERM')).toBe(0);
  expect(deployment.findSecrets()).toEqual([]);
  deployment.dispose();
});

/** Remembers a plaintext in a response. */
function remember(what: string, response: Message): Message {
  deployment.ledger.add(what, response['plaintext'] as Uint8Array);
  return response;
}

const procFile = (name: string): Buffer => readFileSync(`/proc/${server.child.pid}/${name}`);

/** Everything written so far, with the write-ahead log that a running server has beside its catalog. */
function writtenSoFar(): string {
  const files = readdirSync(deployment.folder, { recursive: true, withFileTypes: true }).filter((file) =>
    file.isFile(),
  );
  return files.map((file) => readFileSync(join(file.parentPath, file.name)).toString('latin1')).join('\n');
}

it('the search finds a secret that is present', () => {
  const known = new SecretLedger();
  known.add('cluster id', deployment.customCluster.clusterId);
  const places = known.findBelow(deployment.folder, /holdfast\.yaml$/).join('\n');
  for (const file of ['server.log', 'catalog.sqlite-wal']) expect(places).toContain(file);
});

it('the process leaves no core dump, and shows no secret in its arguments and environment', () => {
  expect(procFile('limits').toString()).toMatch(/Max core file size\s+0\s+0/);
  expect(deployment.ledger.findIn('cmdline', procFile('cmdline'))).toEqual([]);
  expect(deployment.ledger.findIn('environ', procFile('environ'))).toEqual([]);
});

it('only its user can read the files that the server writes', () => {
  const made = readdirSync(deployment.folder).filter((name) => /^(catalog|audit)/.test(name));
  expect(made).toEqual(expect.arrayContaining(['audit.log', 'catalog.sqlite', 'catalog.sqlite-wal']));
  for (const name of made) expect(statSync(join(deployment.folder, name)).mode & 0o077, name).toBe(0);
  expect(statSync(deployment.socketPath).mode & 0o077).toBe(0);
});

it('no operation leaves secrets behind', async () => {
  const created = await client.call('CreateKey', { origin: 'ORIGIN_AWS_CLOUDHSM', custom_key_store_id: storeId });
  const keyId = (created['key_metadata'] as Message)['key_id'];
  const { key_id: otherKeyId } = (await client.call('CreateKey', {}))['key_metadata'] as Message;
  const plaintext = randomBytes(4096);
  deployment.ledger.add('plaintext', plaintext);
  deployment.ledger.add('part of a plaintext', plaintext.subarray(0, 16));
  const { ciphertext_blob: ciphertext } = await client.call('Encrypt', { key_id: keyId, plaintext });
  await client.call('Decrypt', { ciphertext_blob: ciphertext });
  await client.call('ReEncrypt', { ciphertext_blob: ciphertext, destination_key_id: otherKeyId });
  const dataKey = await client.call('GenerateDataKey', { key_id: keyId, key_spec: 'DATA_KEY_SPEC_AES_256' });
  remember('data key', dataKey);
  const { ciphertext_blob: encrypted } = await client.call('GenerateDataKeyWithoutPlaintext', {
    key_id: keyId,
    number_of_bytes: 64,
  });
  remember('data key', await client.call('Decrypt', { ciphertext_blob: encrypted }));
  remember('random', await client.call('GenerateRandom', { number_of_bytes: 32 }));
  remember('random', await client.call('GenerateRandom', { number_of_bytes: 32, custom_key_store_id: storeId }));
  // While it runs, with the write-ahead log; the search after the end covers every file of the tests.
  expect(deployment.findSecrets()).toEqual([]);
});

it('a refused plaintext is not repeated', async () => {
  const { key_id: keyId } = (await client.call('CreateKey', {}))['key_metadata'] as Message;
  const tooLong = randomBytes(4097);
  deployment.ledger.add('part of a plaintext that is too long', tooLong.subarray(0, 16));
  deployment.ledger.add('plaintext that is too long', tooLong);
  expect(await client.refusal('Encrypt', { key_id: keyId, plaintext: tooLong })).toMatchObject({
    reason: 'VALIDATION',
  });
  const plaintext = randomBytes(32);
  deployment.ledger.add('plaintext', plaintext);
  await client.call('DisableKey', { key_id: keyId });
  expect(await client.refusal('Encrypt', { key_id: keyId, plaintext })).toMatchObject({ reason: 'DISABLED' });
  const stranger = server.client('stranger');
  expect(await stranger.refusal('Encrypt', { key_id: keyId, plaintext })).toMatchObject({ reason: 'ACCESS_DENIED' });
});

it('a refused password is not repeated', async () => {
  const [, unused] = deployment.customClusters;
  const request = {
    custom_key_store_name: 'another store',
    cloud_hsm_cluster_id: unused?.clusterId,
    trust_anchor_certificate: deployment.trustAnchor,
  };
  const tooShort = 'Zq9!x#';
  const passwords = [tooShort, `too-long-${randomBytes(16).toString('hex')}`, `control\u0007${randomPin()}`];
  for (const password of passwords) {
    deployment.ledger.add('refused password', password);
    const create = await client.refusal('CreateCustomKeyStore', { ...request, key_store_password: password });
    expect(create).toMatchObject({ reason: 'VALIDATION' });
    const update = { custom_key_store_id: storeId, key_store_password: password };
    const refused = await client.refusal('UpdateCustomKeyStore', update);
    for (const { message, fieldViolations, metadata } of [create, refused]) {
      const told = JSON.stringify([message, fieldViolations, metadata.toJSON()]);
      expect(told).not.toContain(password);
      expect(told).not.toContain(Buffer.from(password).toString('base64'));
    }
  }
  // Too short for the ledger.
  expect(writtenSoFar()).not.toContain(tooShort);
  const unauthorised = randomPin();
  deployment.ledger.add('password of a stranger', unauthorised);
  const attempt = { ...request, key_store_password: unauthorised };
  expect(await server.client('stranger').refusal('CreateCustomKeyStore', attempt)).toMatchObject({
    reason: 'ACCESS_DENIED',
  });
});

it('the catalog has the password sealed, and never shows it', async () => {
  const database = new Database(join(deployment.folder, 'catalog.sqlite'), { readonly: true });
  const row = database.prepare('select * from custom_key_stores').get() as Record<string, unknown>;
  database.close();
  const pin = Buffer.from(deployment.customCluster.pin);
  expect(row['sealing_key_id']).toBe('seal-1');
  const sealed = row['password_ciphertext'] as Buffer;
  expect(sealed.byteLength).toBeGreaterThanOrEqual(pin.byteLength + 16);
  expect(sealed.includes(pin)).toBe(false);
  const { custom_key_stores: stores } = await client.call('DescribeCustomKeyStores', {});
  expect(JSON.stringify(stores)).not.toMatch(/password/i);
  expect(deployment.ledger.findIn('DescribeCustomKeyStores', Buffer.from(JSON.stringify(stores)))).toEqual([]);
});
