import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { HoldfastClient, Message } from './client.js';
import { connectedKeyStore, Deployment, eventually, type RunningServer } from './deployment.js';

let deployment: Deployment;
let server: RunningServer;
let client: HoldfastClient;

beforeEach(async () => {
  deployment = new Deployment({
    customClusters: ['custom'],
    faulty: ['custom'],
    configure: (configuration) => {
      configuration['limits'] = { operationTimeoutMs: 20_000, requestTimeoutMs: 30_000 };
    },
  });
  server = await deployment.start();
  client = server.client();
  await server.defaultKeyStoreConnected(client);
});

afterEach(async () => {
  deployment.fault('custom').heal();
  await server.stop();
  expect(deployment.findSecrets()).toEqual([]);
  deployment.dispose();
});

it('a cancelled call that waits for an HSM never reaches it, and is audited', async () => {
  const storeId = await connectedKeyStore(client, deployment);
  const create = { origin: 'ORIGIN_AWS_CLOUDHSM', custom_key_store_id: storeId };
  const { key_id: keyId } = (await client.call('CreateKey', create))['key_metadata'] as Message;
  const plaintext = randomBytes(32);
  deployment.ledger.add('plaintext', plaintext);
  const { ciphertext_blob: ciphertext } = await client.call('Encrypt', { key_id: keyId, plaintext });
  // A key's first two ciphertexts are decrypted before they go out; those that hang below must not be among them.
  await client.call('Encrypt', { key_id: keyId, plaintext });
  const fault = deployment.fault('custom');
  const decrypt = () => client.call('Decrypt', { ciphertext_blob: ciphertext });
  await decrypt();
  const before = fault.calls('C_Decrypt');
  await decrypt();
  const ofOne = fault.calls('C_Decrypt') - before;

  // One call hangs in each lane of the member.
  fault.obey('C_Encrypt hang');
  const hung = [1, 2].map(() => client.call('Encrypt', { key_id: keyId, plaintext }));
  await eventually(() =>
    fault.inside('C_Encrypt') === 2 ? Promise.resolve() : Promise.reject(new Error('not all lanes hang yet')),
  );
  const caller = new AbortController();
  const given = client.cancellable('Decrypt', { ciphertext_blob: ciphertext }, caller.signal);
  const refused = expect(given).rejects.toMatchObject({ status: 1 });
  // This call is sent after the cancelled one, on the same connection.
  await client.call('DescribeKey', { key_id: keyId });
  caller.abort();
  await refused;
  const isAudited = () =>
    deployment.auditRecords().some(({ operation, errorCode }) => operation === 'Decrypt' && errorCode === 'CANCELLED');
  await eventually(() => (isAudited() ? Promise.resolve() : Promise.reject(new Error('not audited yet'))));
  expect(fault.inside('C_Encrypt')).toBe(2);

  fault.heal();
  await Promise.all(hung);
  // The cancelled call would run before this one if it were still in the queue.
  await decrypt();
  expect(fault.calls('C_Decrypt')).toBe(before + 2 * ofOne);
});
