import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Message } from './client.js';
import { Deployment } from './deployment.js';

/** How much a process reserves at once. */
const block = 65_536;

describe('the budget of encryptions, in the composed service', () => {
  let deployment: Deployment;
  beforeAll(() => {
    deployment = new Deployment();
  });
  afterAll(() => deployment.dispose());

  /** The reservation, or any other result of the statement. */
  function inCatalog(statement: string): unknown {
    const connection = new Sqlite(join(deployment.folder, 'catalog.sqlite'));
    try {
      return connection.prepare(statement).pluck().get();
    } finally {
      connection.close();
    }
  }

  it('reserves a block per process, stops under 2^32 and still decrypts', async () => {
    const first = await deployment.start();
    const client = first.client();
    await first.defaultKeyStoreConnected(client);
    const { key_metadata: metadata } = await client.call('CreateKey', {});
    const encrypt = { key_id: (metadata as Message)['key_id'], plaintext: Buffer.from('x') };
    const { ciphertext_blob } = await client.call('Encrypt', encrypt);
    await client.call('Encrypt', encrypt);
    const select = 'select reserved_encryptions from encryption_reservations';
    const reserved = inCatalog(`${select} order by reserved_encryptions desc`);
    expect(reserved).toBe(block);
    await first.stop();

    const materialId = inCatalog(
      `update encryption_reservations set reserved_encryptions = ${2 ** 32 - block} returning material_id`,
    );
    expect(materialId).toMatch(/^[0-9a-f]{64}$/);
    const second = await deployment.start();
    const again = second.client();
    await second.defaultKeyStoreConnected(again);
    const refused = { reason: 'KMS_INVALID_STATE', message: expect.stringContaining('Create a new key') as unknown };
    await expect(again.call('Encrypt', encrypt)).rejects.toMatchObject(refused);
    const { key_id } = encrypt;
    await expect(again.call('GenerateDataKey', { key_id, number_of_bytes: 32 })).rejects.toMatchObject(refused);
    await expect(again.call('ReEncrypt', { ciphertext_blob, destination_key_id: key_id })).rejects.toMatchObject(
      refused,
    );
    const { plaintext } = await again.call('Decrypt', { ciphertext_blob });
    expect(Buffer.from(plaintext as Uint8Array).toString()).toBe('x');
    await second.stop();
  });
});
