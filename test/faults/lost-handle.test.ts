/** The outcome of operations whose key's handle turns out to be invalid, or another key's, while they are under way. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HoldfastError } from '../../src/errors.js';
import type { EncryptedData, HsmCluster } from '../../src/clusters/hsm-cluster.js';
import { Secret } from '../../src/secret.js';
import { codeOf, inTime } from '../hsm/fixture.js';
import type { FaultHsm } from '../native/fault-hsm.js';
import { ReplicatedCluster } from './replicated-cluster.js';
import { until } from './replicated-server.js';

const additionalData = Uint8Array.of(0xff, 0xff);

let replicas: ReplicatedCluster;
let cluster: HsmCluster;
let fault: FaultHsm;
let encrypted: EncryptedData;

const encrypt = () =>
  cluster.perform(
    'encrypt',
    { material: replicas.material(), plaintext: Secret.fromUtf8('x'), additionalData },
    inTime(),
  );
const dataKey = () =>
  cluster.perform('generateDataKey', { material: replicas.material(), lengthBytes: 32, additionalData }, inTime());
const decrypt = (given = encrypted) =>
  cluster.perform('decrypt', { material: replicas.material(), encrypted: given, additionalData }, inTime());

beforeEach(async () => {
  const options = { memberCount: 1, materialCount: 1, lanes: 4, operationTimeoutMs: 5_000 };
  replicas = await ReplicatedCluster.make(options);
  cluster = await replicas.connected();
  fault = replicas.member(0).fault;
  encrypted = await encrypt();
});

afterEach(() => replicas.dispose());

/** The encryptions that the HSM received and that were accounted for during `work`. */
async function counted(work: () => Promise<unknown>): Promise<{ asked: number; spent: number }> {
  const asked = fault.calls('C_Encrypt');
  const spent = replicas.spending.spent.length;
  await work();
  return { asked: fault.calls('C_Encrypt') - asked, spent: replicas.spending.spent.length - spent };
}

describe.each([
  ['CKR_KEY_HANDLE_INVALID', 0x60],
  ['CKR_OBJECT_HANDLE_INVALID', 0x82],
])('%s during an operation', (_name, rv) => {
  test.each([
    ['an encryption', () => encrypt()],
    ['a data key', () => dataKey()],
  ])('%s is repeated once, with an encryption accounted for each time', async (_what, work) => {
    fault.obey(`C_Encrypt times 1 rv ${rv}`);
    // Two more are the HSM's self-test, with a key of its own.
    expect(await counted(work)).toEqual({ asked: 4, spent: 2 });
    expect(replicas.events).not.toContain('suspended a');
  });

  test('a decryption is repeated once', async () => {
    fault.obey(`C_Decrypt times 1 rv ${rv}`);
    expect(await codeOf(decrypt())).toBe('no error');
  });

  test('an encryption is repeated once if its new handle is lost during its proof', async () => {
    fault.obey(`C_EncryptInit times 1 rv ${rv}`, `C_DecryptInit times 1 rv ${rv}`);
    expect(await counted(encrypt)).toEqual({ asked: 1, spent: 1 });
  });

  test('a member that knows no handle is not retried for ever', async () => {
    const begun = fault.calls('C_EncryptInit');
    fault.obey(`C_EncryptInit rv ${rv}`);
    expect(await codeOf(encrypt())).toBe('KMS_INTERNAL');
    // The lane asks, its test with another key asks, and the cluster has both repeated once.
    expect(fault.calls('C_EncryptInit') - begun).toBeLessThanOrEqual(6);
  });
});

/**
 * Two encryptions hang under a handle; meanwhile its canary fails, as if it had become another key's: the HSM itself is
 * well.
 */
test('a ciphertext under a handle that lost its proof meanwhile is discarded and made again', async () => {
  fault.obey('C_Encrypt times 2 hang', `C_Decrypt key ${replicas.material().materialId} flip`);
  const work = counted(async () => {
    const running = [encrypt(), dataKey().then((made) => made.encrypted)];
    await until('both are inside', () => fault.inside('C_Encrypt') === 2);
    const bad = { ...encrypted, ciphertext: encrypted.ciphertext.with(0, (encrypted.ciphertext[0] ?? 0) ^ 1) };
    await expect(decrypt(bad)).rejects.toThrow(HoldfastError);
    expect(replicas.events).toContain('canary-failed');
    fault.heal();
    for (const made of await Promise.all(running)) expect(await codeOf(decrypt(made))).toBe('no error');
  });
  // Two more are the HSM's self-test, with a key of its own.
  expect(await work).toEqual({ asked: 6, spent: 4 });
});
