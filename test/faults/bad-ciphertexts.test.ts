import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/clock-system.js';
import type { EncryptedData, HsmCluster } from '../../src/clusters/hsm-cluster.js';
import { Secret } from '../../src/secret.js';
import { codeOf } from '../hsm/fixture.js';
import { ReplicatedCluster } from './replicated-cluster.js';

/** On SoftHSM a wrong tag is CKR_GENERAL_ERROR, like a broken device (invariant 5). */
const count = process.env['HOLDFAST_FAULTS'] === 'full' ? 10_000 : 1_000;
const additionalData = Uint8Array.of(0xff, 0xff);
let replicas: ReplicatedCluster;
let cluster: HsmCluster;
let encrypted: EncryptedData;

const call = () => ({ deadlineMs: systemClock.monotonicMs() + 20_000 });
const decrypt = (given: EncryptedData) =>
  cluster.perform('decrypt', { material: replicas.material(), encrypted: given, additionalData }, call());

beforeAll(async () => {
  replicas = await ReplicatedCluster.make({ memberCount: 1, materialCount: 1, lanes: 4, operationTimeoutMs: 5_000 });
  cluster = await replicas.connected();
  encrypted = await cluster.perform(
    'encrypt',
    { material: replicas.material(), plaintext: Secret.fromUtf8('a secret'), additionalData },
    call(),
  );
});

afterAll(() => replicas.dispose());

test(`${count} bad ciphertexts do not open the breaker; an HSM that dies right after opens it at once`, async () => {
  const bad = { ...encrypted, ciphertext: encrypted.ciphertext.with(0, (encrypted.ciphertext[0] ?? 0) ^ 1) };
  for (let done = 0; done < count; done += 100) {
    const codes = await Promise.all(Array.from({ length: 100 }, () => codeOf(decrypt(bad))));
    expect(new Set(codes)).toEqual(new Set(['INVALID_CIPHERTEXT']));
  }
  expect(replicas.events).not.toContain('suspended a');
  expect((await decrypt(encrypted)).byteLength).toBe(8);

  // The HSM is broken, and answers with the code of a bad ciphertext.
  replicas.member(0).fault.obey('C_DecryptInit rv 0x5', 'C_EncryptInit rv 0x5');
  for (let attempt = 0; attempt < 5; attempt += 1)
    expect(await codeOf(decrypt(encrypted))).not.toBe('INVALID_CIPHERTEXT');
  expect(replicas.events).toContain('suspended a');
}, 120_000);

test.each([
  ['CKR_GENERAL_ERROR', 'rv 0x5'],
  ['CKR_ENCRYPTED_DATA_INVALID', 'rv 0x40'],
  ['a wrong plaintext', 'flip'],
])(
  'a device that answers every decryption with %s also opens the breaker at once, and blames no caller',
  async (_name, action) => {
    const { fault } = replicas.member(0);
    const suspensions = () => replicas.events.filter((event) => event === 'suspended a').length;
    fault.heal();
    await expect.poll(() => codeOf(decrypt(encrypted)), { timeout: 20_000 }).toBe('no error');
    const before = suspensions();
    const alerts = replicas.events.filter((event) => event === 'canary-failed').length;
    fault.obey(`C_Decrypt ${action}`);
    const bad = { ...encrypted, ciphertext: encrypted.ciphertext.with(0, (encrypted.ciphertext[0] ?? 0) ^ 1) };
    expect(await codeOf(decrypt(bad))).toBe('KMS_INTERNAL');
    expect(suspensions()).toBe(before + 1);
    expect(replicas.events.filter((event) => event === 'canary-failed')).toHaveLength(alerts);
    fault.heal();
    await expect.poll(() => codeOf(decrypt(encrypted)), { timeout: 20_000 }).toBe('no error');
  },
);

test('a device that reports its own failure opens the breaker with the first call', async () => {
  replicas.member(0).fault.heal();
  const { fault } = replicas.member(0);
  await expect.poll(() => codeOf(decrypt(encrypted)), { timeout: 20_000 }).toBe('no error');
  const before = replicas.events.filter((event) => event === 'suspended a').length;
  fault.obey('C_DecryptInit rv 0x30');
  expect(await codeOf(decrypt(encrypted))).toBe('KEY_UNAVAILABLE');
  expect(replicas.events.filter((event) => event === 'suspended a')).toHaveLength(before + 1);
});
