import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Message } from '../e2e/client.js';
import { ReplicatedServer } from './replicated-server.js';

let server: ReplicatedServer;

beforeAll(async () => {
  server = await ReplicatedServer.start({
    memberCount: 3,
    keyCount: 2,
    lanes: 2,
    operationTimeoutMs: 1_000,
    requestTimeoutMs: 10_000,
  });
});

afterAll(() => server.dispose());

test('every member holds the keys, each does part of the work, and each decrypts what another encrypted', async () => {
  const [keyId] = server.keyIds;
  const plaintext = Buffer.from('the same everywhere');
  const client = server.newClient();
  for (let round = 0; round < 9; round += 1) {
    const { ciphertext_blob } = await client.call('Encrypt', { key_id: keyId, plaintext });
    for (const _member of server.members) {
      const decrypted: Message = await client.call('Decrypt', { ciphertext_blob });
      expect(Buffer.from(decrypted['plaintext'] as Uint8Array)).toEqual(plaintext);
    }
  }
  for (const { fault } of server.members) {
    expect(fault.calls('C_Encrypt')).toBeGreaterThan(0);
    expect(fault.calls('C_Decrypt')).toBeGreaterThan(2);
    expect(fault.calls('C_Login')).toBe(1);
  }
});
