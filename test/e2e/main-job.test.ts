import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HoldfastClient, Message } from './client.js';
import { connectedKeyStore, Deployment, type RunningServer } from './deployment.js';

describe('the main job, end to end', () => {
  const deployment = new Deployment();
  let server: RunningServer;
  let client: HoldfastClient;

  beforeAll(async () => {
    server = await deployment.start();
    client = server.client();
    await server.defaultKeyStoreConnected(client);
  });

  afterAll(async () => {
    await server.stop();
    expect(deployment.findSecrets()).toEqual([]);
    deployment.dispose();
  });

  it('creates a custom key store and a key in it, encrypts and decrypts', async () => {
    const storeId = await connectedKeyStore(client, deployment);
    const created = await client.call('CreateKey', { origin: 'ORIGIN_AWS_CLOUDHSM', custom_key_store_id: storeId });
    const metadata = created['key_metadata'] as Message;
    expect(metadata).toMatchObject({
      custom_key_store_id: storeId,
      cloud_hsm_cluster_id: deployment.customCluster.clusterId,
    });
    const plaintext = randomBytes(64);
    deployment.ledger.add('plaintext', plaintext);
    const encrypted = await client.call('Encrypt', {
      key_id: metadata['key_id'],
      plaintext,
      encryption_context: { purpose: 'test' },
    });
    const decrypted = await client.call('Decrypt', {
      ciphertext_blob: encrypted['ciphertext_blob'],
      encryption_context: { purpose: 'test' },
    });
    expect(Buffer.from(decrypted['plaintext'] as Uint8Array).equals(plaintext)).toBe(true);
    expect(decrypted['key_id']).toBe(metadata['arn']);
  });
});
