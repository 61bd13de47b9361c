/** A second member is tried if the first is late: on real tokens, behind modules that hang. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { EncryptedData, HsmCluster, MaterialReference } from '../../src/clusters/hsm-cluster.js';
import { Secret } from '../../src/secret.js';
import { type FaultHsm, putFaultsBefore } from '../native/fault-hsm.js';
import { createHsmFixture, type HsmFixture, inTime, makeMaterial } from './fixture.js';
import { waitFor } from '../wait-for.js';

const additionalData = Uint8Array.of(1, 2, 3);

/** Secret bytes that the addon has returned. */
let plaintexts: Uint8Array[];
let fixture: HsmFixture;
let slow: FaultHsm;
let other: FaultHsm;
let cluster: HsmCluster;
let material: MaterialReference;
let encrypted: EncryptedData;
let encryptionsBefore: number;

const encrypt = () =>
  cluster.perform('encrypt', { material, plaintext: Secret.fromUtf8('x'), additionalData }, inTime());
const decrypt = () => cluster.perform('decrypt', { material, encrypted, additionalData }, inTime());
const generateDataKey = () =>
  cluster.perform('generateDataKey', { material, lengthBytes: 32, additionalData }, inTime());
const random = () => cluster.perform('random', { lengthBytes: 32 }, inTime());

/** Records the secrets that come out of the addon's batches. */
function recordSecrets(): void {
  const movedFrom = Secret.movedFrom.bind(Secret);
  vi.spyOn(Secret, 'movedFrom').mockImplementation((bytes) => {
    const secret = movedFrom(bytes);
    plaintexts.push(secret.reveal());
    return secret;
  });
}

async function connect(hedging?: boolean): Promise<void> {
  const members = [fixture.member({ name: 'slow' }), fixture.member({ name: 'other', module: other.module })];
  fixture.configure({ members, ...(hedging === undefined ? {} : { hedging }) });
  cluster = await fixture.connected();
  // Enough of each kind to know its duration.
  for (let call = 0; call < 48; call += 1) {
    encrypted = await encrypt();
    (await decrypt()).destroy();
    (await generateDataKey()).plaintext.destroy();
    (await random()).destroy();
  }
  plaintexts.length = 0;
}

beforeEach(async () => {
  plaintexts = [];
  recordSecrets();
  fixture = await createHsmFixture();
  slow = fixture.fault;
  other = putFaultsBefore(fixture.hsm, 'other', 'replica-2');
  cluster = await fixture.connected();
  material = await makeMaterial(cluster);
  encryptionsBefore = encryptions();
});

afterEach(async () => {
  vi.restoreAllMocks();
  await fixture.dispose();
});

const inside = (functionName: string) => {
  const { entered, returned } = slow.counts(functionName);
  return entered - returned;
};
const encryptions = () => slow.counts('C_EncryptInit').entered + other.counts('C_EncryptInit').entered;

describe('if it is on', () => {
  beforeEach(() => connect(true));

  test.each([
    ['encrypt', 'C_EncryptInit', encrypt],
    ['decrypt', 'C_DecryptInit', decrypt],
    ['generateDataKey', 'C_EncryptInit', generateDataKey],
    ['random', 'C_GenerateRandom', random],
  ] as const)('%s is answered while the slow member is still working', async (_name, functionName, operation) => {
    slow.obey(`${functionName} hang`);
    // One of two goes to the slow member first, or of some more on a busy machine.
    await waitFor(async () => {
      await operation();
      expect(inside(functionName)).toBeGreaterThan(0);
    });
    expect(fixture.events).not.toContain('suspended slow');
    expect(fixture.events).not.toContain('quarantined slow');
    slow.heal();
    await waitFor(() => expect(inside(functionName)).toBe(0));
  });

  test.each([
    ['decrypt', decrypt, 'C_DecryptInit'],
    ['generateDataKey', async () => (await generateDataKey()).plaintext, 'C_EncryptInit'],
  ] as const)('the slow member’s answer to %s is zeroed', async (_name, operation, functionName) => {
    slow.obey(`${functionName} hang`);
    const taken = [await operation(), await operation()].map((secret) => secret.reveal());
    slow.heal();
    const lost = () => plaintexts.filter((bytes) => !taken.includes(bytes));
    await waitFor(() => {
      expect(lost()).not.toEqual([]);
      for (const bytes of lost()) expect(bytes.every((byte) => byte === 0)).toBe(true);
    });
    for (const bytes of taken) expect(bytes.some((byte) => byte !== 0)).toBe(true);
  });

  test('each of the two attempts spends an encryption', async () => {
    const { spent } = fixture.spending;
    const spentBefore = spent.length;
    slow.obey('C_EncryptInit hang');
    await encrypt();
    await encrypt();
    // On a slow machine the healthy member may be late too.
    expect(spent.length - spentBefore).toBeGreaterThanOrEqual(3);
    expect(new Set(spent)).toEqual(new Set([material.materialId]));
    // Counts every encryption since the key was made, because a losing attempt may begin late. An attempt that was
    // spent may still wait, or be given up.
    expect(spent.length).toBeGreaterThanOrEqual(encryptions() - encryptionsBefore);
  });

  test('an operation that fails on both members is not retried, and both breakers record it', async () => {
    slow.obey('C_EncryptInit rv 0x30');
    other.obey('C_EncryptInit rv 0x30');
    // The log has both attempts.
    await expect(encrypt()).rejects.toMatchObject({
      code: 'KEY_UNAVAILABLE',
      cause: { rv: 0x30, cause: { rv: 0x30 } },
    });
    expect(fixture.events).toEqual(expect.arrayContaining(['suspended slow', 'suspended other']));
  });

  test('an operation that fails on one member is answered by the other', async () => {
    slow.obey('C_EncryptInit rv 0x30');
    for (let call = 0; call < 4; call += 1) expect((await encrypt()).nonce).toHaveLength(12);
    // The attempt that failed may end after the other's answer.
    await waitFor(() => expect(fixture.events).toContain('suspended slow'));
  });
});

test('it is off by default: each encryption is tried once, however late it is', async () => {
  await connect();
  const [before, spentBefore] = [encryptions(), fixture.spending.spent.length];
  slow.obey('C_EncryptInit delay 100');
  other.obey('C_EncryptInit delay 100');
  for (let call = 0; call < 10; call += 1) await encrypt();
  expect(encryptions() - before).toBe(10);
  expect(fixture.spending.spent.length - spentBefore).toBe(10);
});
