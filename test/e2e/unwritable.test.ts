import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, describe, expect, it } from 'vitest';
import { TokenReader } from '../token-reader.js';
import type { Message } from './client.js';
import { Deployment, type RunningServer } from './deployment.js';

let deployment: Deployment;
let server: RunningServer;

const token = () => new TokenReader(deployment.softHsm, 'default', deployment.defaultCluster.pin);

afterEach(async () => {
  await server.stop();
  expect(deployment.findSecrets()).toEqual([]);
  deployment.dispose();
});

describe('an audit log that cannot be written', () => {
  const refused = { reason: 'KMS_INTERNAL' };

  it('refuses every request, and executes none of them', async () => {
    deployment = new Deployment({
      configure: (configuration) => {
        configuration['audit'] = { file: '/dev/full' };
      },
    });
    server = await deployment.start();
    const client = server.client();
    const plaintext = randomBytes(32);
    deployment.ledger.add('plaintext', plaintext);
    for (let round = 0; round < 3; round += 1) {
      expect(await client.refusal('CreateKey', {})).toMatchObject(refused);
      expect(await client.refusal('ListKeys', {})).toMatchObject(refused);
      expect(await client.refusal('GenerateRandom', { number_of_bytes: 32 })).toMatchObject(refused);
      expect(await client.refusal('Encrypt', { key_id: 'alias/app', plaintext })).toMatchObject(refused);
    }
    expect(token().list()).toEqual([]);
  });
});

describe('a catalog that another process keeps locked', () => {
  it('makes no key and reserves no encryptions, serves everything else, and recovers afterwards', async () => {
    deployment = new Deployment();
    server = await deployment.start();
    const client = server.client();
    await server.defaultKeyStoreConnected(client);
    const createKey = async () => ((await client.call('CreateKey', {}))['key_metadata'] as Message)['key_id'];
    const [keyId, unusedKeyId] = [await createKey(), await createKey()];
    const plaintext = randomBytes(32);
    deployment.ledger.add('plaintext', plaintext);
    // Reserves a block of encryptions for this key.
    await client.call('Encrypt', { key_id: keyId, plaintext });
    const other = new Database(join(deployment.folder, 'catalog.sqlite'));
    other.exec('begin immediate');
    const creating = client.refusal('CreateKey', {});
    const encrypted = await client.call('Encrypt', { key_id: keyId, plaintext });
    await client.call('Decrypt', { ciphertext_blob: encrypted['ciphertext_blob'] });
    // Encryptions that cannot be counted durably are refused (invariant 9).
    const uncounted = client.refusal('Encrypt', { key_id: unusedKeyId, plaintext });
    expect(await creating).toMatchObject({ reason: 'KMS_INTERNAL' });
    expect(await uncounted).toMatchObject({ reason: 'KMS_INTERNAL' });
    expect(token().secretKeys()).toHaveLength(2);
    other.exec('rollback');
    other.close();
    await client.call('CreateKey', {});
    await client.call('Encrypt', { key_id: unusedKeyId, plaintext });
    expect(token().secretKeys()).toHaveLength(3);
  });
});
