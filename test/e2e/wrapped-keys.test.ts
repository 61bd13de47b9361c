/** The whole server on a cluster of three members with the same keys. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { HoldfastClient, Message } from './client.js';
import { eventually, type RunningServer } from './deployment.js';
import { WrappedDeployment } from './wrapped-deployment.js';

let wrapped: WrappedDeployment;
let server: RunningServer;
let client: HoldfastClient;

beforeAll(async () => {
  wrapped = await WrappedDeployment.make(3);
  server = await wrapped.deployment.start();
  client = server.client();
  await server.defaultKeyStoreConnected(client);
});
afterAll(async () => {
  for (const { fault } of wrapped.members) fault.heal();
  await server.stop();
  expect(wrapped.deployment.findSecrets()).toEqual([]);
  wrapped.dispose();
});

const createKey = async (): Promise<Message> => (await client.call('CreateKey', {}))['key_metadata'] as Message;
const clusterId = (): string => wrapped.deployment.defaultCluster.clusterId;

it('CreateKey says which members have the key, and a member that missed it is given it', async () => {
  const custody = { replication: 'REPLICATION_WRAPPED', minimum_members: 2, extractable: true };
  await eventually(async () => expect((await createKey())['custody']).toMatchObject({ members: ['a', 'b', 'c'] }));
  wrapped.member(2).fault.obey('C_UnwrapKey rv 0x5');
  expect((await createKey())['custody']).toMatchObject({ ...custody, members: ['a', 'b'] });
  wrapped.member(2).fault.heal();
  wrapped.expectAccounted();
  wrapped.ageKeys();
  const { members } = await server.server.reconciler.reconcile(clusterId());
  expect(members.map(({ memberName, missing, copied }) => [memberName, missing, copied])).toEqual([
    ['a', 0, 0],
    ['b', 0, 0],
    ['c', 1, 1],
  ]);
  wrapped.expectAllOnAll();
  const copies = wrapped.deployment.auditRecords().filter(({ operation }) => operation === 'CopyKeyMaterials');
  expect(copies.map(({ outcome }) => outcome)).toEqual(['started', 'success']);
});

it('with two members away keys are used and not made, until they return', async () => {
  const { key_id: keyId } = await createKey();
  const plaintext = Buffer.from('a secret of the test');
  const { ciphertext_blob: blob } = await client.call('Encrypt', { key_id: keyId, plaintext });
  for (const index of [0, 1]) wrapped.member(index).fault.remove('device-error');
  for (let count = 0; count < 10; count += 1) {
    const { plaintext: opened } = await client.call('Decrypt', { ciphertext_blob: blob });
    expect(Buffer.from(opened as Uint8Array).equals(plaintext)).toBe(true);
  }
  await expect(createKey()).rejects.toMatchObject({ reason: 'CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION' });
  for (const index of [0, 1]) wrapped.member(index).fault.heal();
  await eventually(createKey);
});
