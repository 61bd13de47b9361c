import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { delay } from '../../src/clock.js';
import { systemClock } from '../../src/clock-system.js';
import { findInMemory } from '../process-memory.js';
import type { HoldfastClient, Message } from './client.js';
import { connectedKeyStore, Deployment, type SpawnedServer } from './deployment.js';

/**
 * The memory of a serving process (invariant 11): it contains each PIN once, and no plaintext or data key soon after
 * its call. `serve` keeps other processes of its user out of its memory, so only root can read it.
 */

const deployment = new Deployment({ customClusters: ['custom'] });
let server: SpawnedServer;
let client: HoldfastClient;
let keyId: unknown;

beforeAll(async () => {
  server = await deployment.spawn();
  client = server.client();
  await server.defaultKeyStoreConnected(client);
  const storeId = await connectedKeyStore(client, deployment);
  const request = { origin: 'ORIGIN_AWS_CLOUDHSM', custom_key_store_id: storeId };
  keyId = ((await client.call('CreateKey', request))['key_metadata'] as Message)['key_id'];
});

afterAll(async () => {
  expect(await server.end('SIGTERM')).toBe(0);
  deployment.dispose();
});

const placesOf = (secret: Uint8Array): string[] =>
  findInMemory(server.child.pid ?? 0, secret).map(({ address, mapping, around }) => {
    return `${mapping} ${address.toString(16)}: ${around.toString('hex')}`;
  });

/** Freed memory is overwritten twice a second; a busy machine may take longer. */
const attempts = 10;

async function expectAtMost(count: number, secret: Uint8Array): Promise<void> {
  let places = placesOf(secret);
  for (let attempt = 1; places.length > count && attempt < attempts; attempt += 1) {
    await delay(systemClock, 500);
    places = placesOf(secret);
  }
  expect(places.length, places.join('\n')).toBeLessThanOrEqual(count);
}

const goneSoon = (secret: Uint8Array): Promise<void> => expectAtMost(0, secret);

const encrypt = async (plaintext: Uint8Array): Promise<unknown> =>
  (await client.call('Encrypt', { key_id: keyId, plaintext }))['ciphertext_blob'];

describe.skipIf(process.getuid?.() !== 0)('the memory of a serving process', () => {
  test('can be searched: a name that must be there is found', () => {
    expect(placesOf(Buffer.from(deployment.customCluster.clusterId)).length).toBeGreaterThan(0);
  });

  test.each(['default', 'custom'] as const)('has the PIN of the %s cluster at most once', async (name) => {
    const { pin } = name === 'default' ? deployment.defaultCluster : deployment.customCluster;
    await expectAtMost(1, Buffer.from(pin));
  });

  // Around the sizes at which V8, Node's pool, HTTP/2 and TLS move bytes to another place.
  test.each([16, 32, 63, 64, 65, 100, 1_000, 4_096])('has no plaintext of %i bytes', async (size) => {
    const plaintext = randomBytes(size);
    await encrypt(plaintext);
    await goneSoon(plaintext);
    const decrypted = randomBytes(size);
    await client.call('Decrypt', { ciphertext_blob: await encrypt(decrypted) });
    await goneSoon(decrypted);
  });

  test.each([16, 32, 64, 1_024])('has no data key and no random bytes of %i bytes', async (size) => {
    for (const [method, request] of [
      ['GenerateDataKey', { key_id: keyId }],
      ['GenerateRandom', {}],
    ] as const) {
      const answer = await client.call(method, { ...request, number_of_bytes: size });
      await goneSoon(answer['plaintext'] as Uint8Array);
    }
  });

  test('has no plaintext of refused or cancelled requests', async () => {
    const refused = randomBytes(32);
    await client.refusal('Encrypt', { key_id: 'no-such-key', plaintext: refused });
    await goneSoon(refused);
    const tooLong = randomBytes(5_000);
    await client.refusal('Encrypt', { key_id: keyId, plaintext: tooLong });
    await goneSoon(tooLong);
    const unknown = randomBytes(32);
    await server.client('stranger').refusal('Encrypt', { key_id: keyId, plaintext: unknown });
    await goneSoon(unknown);
    const cancelled = randomBytes(32);
    const abort = new AbortController();
    const call = client.cancellable('Encrypt', { key_id: keyId, plaintext: cancelled }, abort.signal);
    abort.abort();
    await call.catch(() => undefined);
    await goneSoon(cancelled);
  });

  test('has no password that was refused', async () => {
    const password = `control\u0007${randomBytes(12).toString('hex')}`;
    const request = {
      custom_key_store_name: 'another store',
      cloud_hsm_cluster_id: deployment.customCluster.clusterId,
      trust_anchor_certificate: deployment.trustAnchor,
      key_store_password: password,
    };
    await client.refusal('CreateCustomKeyStore', request);
    await goneSoon(Buffer.from(password));
  });
});
