import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import type { HoldfastClient, Message } from './client.js';
import { connectedKeyStore, connectionState, Deployment } from './deployment.js';

const deployment = new Deployment();

afterAll(() => {
  expect(deployment.findSecrets()).toEqual([]);
  deployment.dispose();
});

/** Replaces the list of sealing keys in the configuration. */
function configureSealingKeys(...ids: string[]): void {
  const configuration = parse(readFileSync(deployment.configurationPath, 'utf8')) as Message;
  const fileOf = (id: string): string => (id === 'seal-1' ? 'sealing.key' : 'new-sealing.key');
  configuration['sealingKeys'] = ids.map((id) => ({ id, key: { file: join(deployment.folder, fileOf(id)) } }));
  writeFileSync(deployment.configurationPath, stringify(configuration));
}

/** Encrypts and decrypts until it is stopped. @returns how often, when it has ended. Rejects with the first failure. */
async function useKey(client: HoldfastClient, keyId: string, stopping: AbortSignal): Promise<number> {
  for (let calls = 0; ; calls += 1) {
    if (stopping.aborted) return calls;
    const plaintext = randomBytes(16);
    const { ciphertext_blob: blob } = await client.call('Encrypt', { key_id: keyId, plaintext });
    const { plaintext: decrypted } = await client.call('Decrypt', { ciphertext_blob: blob });
    expect(Buffer.from(decrypted as Uint8Array).equals(plaintext)).toBe(true);
  }
}

it('a sealing key is rotated under load with no failed call, and the old one is not needed afterwards', async () => {
  const first = await deployment.start();
  const storeId = await connectedKeyStore(first.client(), deployment);
  await first.stop();

  const newKey = randomBytes(32);
  deployment.ledger.add('new sealing key', newKey);
  writeFileSync(join(deployment.folder, 'new-sealing.key'), newKey.toString('base64'), { mode: 0o600 });
  configureSealingKeys('seal-2', 'seal-1');
  const second = await deployment.start();
  const client = second.client();
  await connectionState(client, storeId, 'CONNECTED');
  const created = await client.call('CreateKey', { origin: 'ORIGIN_AWS_CLOUDHSM', custom_key_store_id: storeId });
  const keyId = (created['key_metadata'] as Message)['key_id'] as string;
  const stopping = new AbortController();
  const callers = [1, 2, 3, 4].map(() => useKey(second.client(), keyId, stopping.signal));
  const rotated = await client.call('RotateSealingKey');
  await connectionState(client, storeId, 'CONNECTED');
  stopping.abort();
  expect(Math.min(...(await Promise.all(callers)))).toBeGreaterThan(0);
  expect(rotated).toMatchObject({ sealing_key_id: 'seal-2', resealed_passwords: 1 });
  expect(rotated['unreadable_custom_key_store_ids'] ?? []).toEqual([]);
  await second.stop();

  configureSealingKeys('seal-2');
  const third = await deployment.start();
  const [again, nobody] = [third.client(), new AbortController()];
  await connectionState(again, storeId, 'CONNECTED');
  setTimeout(() => nobody.abort(), 100);
  await useKey(again, keyId, nobody.signal);
  await third.stop();
});
