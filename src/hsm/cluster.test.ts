import { secretKeyClass } from './material-cache.js';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  clusterId,
  codeOf,
  createHsmFixture,
  type HsmFixture,
  inTime,
  makeMaterial,
  soon,
} from '../../test/hsm/fixture.js';
import { putFaultsBefore } from '../../test/native/fault-hsm.js';
import { plantKey } from '../../test/native/fixture.js';
import { RequestCancellation } from '../calls/cancellation.js';
import { systemClock } from '../clock-system.js';
import { HoldfastError } from '../errors.js';
import type { EncryptedData, HsmCluster, MaterialReference } from '../clusters/hsm-cluster.js';
import { Secret } from '../secret.js';
import { defaultBreakerSettings, defaultRecoverySettings } from '../../test/hsm/default-settings.js';
import { waitFor } from '../../test/wait-for.js';

const additionalData = Uint8Array.of(0xff, 0xff, 1);

let fixture: HsmFixture;
let cluster: HsmCluster;
let material: MaterialReference;
let encrypted: EncryptedData;

const encrypt = (deadlineMs = soon()) =>
  cluster.perform('encrypt', { material, plaintext: Secret.fromUtf8('x'), additionalData }, { deadlineMs });
const decrypt = (changed: EncryptedData = encrypted) =>
  cluster.perform('decrypt', { material, encrypted: changed, additionalData }, inTime());
const tampered = (): EncryptedData => ({
  ...encrypted,
  ciphertext: encrypted.ciphertext.with(0, (encrypted.ciphertext[0] ?? 0) ^ 1),
});
const untilEvent = (event: string) => waitFor(() => expect(fixture.events).toContain(event));

/** Reconnects with a key in use, and clears the recorded events. */
async function reconnectWith(operationTimeoutMs: number): Promise<void> {
  await fixture.clusters().disconnect(clusterId, soon());
  fixture.configure({ operationTimeoutMs });
  cluster = await fixture.connected();
  await encrypt();
  fixture.events.length = 0;
}

beforeEach(async () => {
  fixture = await createHsmFixture();
  cluster = await fixture.connected();
  material = await makeMaterial(cluster);
  encrypted = await encrypt();
});

afterEach(() => fixture.dispose());

describe('bad ciphertexts', () => {
  test('10,000 of them leave the breaker closed, and do not hide a failure', async () => {
    for (let round = 0; round < 20; round += 1) {
      const codes = await Promise.all(Array.from({ length: 500 }, () => codeOf(decrypt(tampered()))));
      expect(new Set(codes)).toEqual(new Set(['INVALID_CIPHERTEXT']));
    }
    expect(fixture.events).toEqual(['opened one']);
    expect((await decrypt()).byteLength).toBe(1);
    fixture.fault.remove('device-error');
    expect(await codeOf(decrypt(tampered()))).toBe('KEY_UNAVAILABLE');
    expect(fixture.events).toEqual(['opened one', 'suspended one']);
  });

  test('do not delay the discovery that the HSM is dead', async () => {
    await Promise.all(Array.from({ length: 200 }, () => codeOf(decrypt(tampered()))));
    fixture.fault.obey('C_EncryptInit rv 0x6');
    for (let attempt = 0; attempt < 5; attempt += 1) expect(await codeOf(encrypt())).toBe('KMS_INTERNAL');
    expect(fixture.events).toContain('suspended one');
  });
});

describe('the breaker', () => {
  test('opens at once on an error that poisons the member, and recovers by a probe', async () => {
    fixture.fault.obey('C_EncryptInit rv 0x30', 'C_DecryptInit rv 0x30');
    expect(await codeOf(encrypt())).toBe('KEY_UNAVAILABLE');
    expect(fixture.events).toEqual(['opened one', 'suspended one']);
    expect(await codeOf(encrypt())).toBe('KEY_UNAVAILABLE');
    await untilEvent('probe failed one');
    fixture.fault.heal();
    await untilEvent('resumed one');
    expect((await encrypt()).nonce).toHaveLength(12);
  });

  test('opens when a call hangs, and the hanging request is answered by its deadline', async () => {
    await reconnectWith(200);
    fixture.fault.obey('C_EncryptInit hang');
    expect(await codeOf(encrypt())).toBe('DEPENDENCY_TIMEOUT');
    expect(fixture.events).toEqual(['quarantined one', 'suspended one']);
    fixture.fault.heal();
    await untilEvent('resumed one');
    expect((await encrypt()).nonce).toHaveLength(12);
  });

  test('a healthy HSM is resumed although the key of the probe no longer exists', async () => {
    const { pool, member } = await fixture.intruder();
    await pool.destroyKey(member, secretKeyClass, Buffer.from(material.materialId, 'hex'), soon());
    fixture.fault.obey('C_GenerateRandom rv 0x30');
    expect(await codeOf(cluster.perform('random', { lengthBytes: 8 }, inTime()))).toBe('KEY_UNAVAILABLE');
    fixture.fault.heal();
    await untilEvent('resumed one');
    expect(await codeOf(encrypt())).toBe('KMS_INVALID_STATE');
  });
});

describe('the advice to callers about a retry', () => {
  const errorOf = (operation: Promise<unknown>): Promise<unknown> =>
    operation.then(
      () => undefined,
      (error: unknown) => error,
    );

  test('an absent HSM: no sooner than its next probe, whatever the operation', async () => {
    await fixture.clusters().disconnect(clusterId, soon());
    const probeDelayMs = 30_000;
    fixture.configure({
      breaker: { ...defaultBreakerSettings, probeDelayMs },
      recovery: { ...defaultRecoverySettings, maximumProbeDelayMs: probeDelayMs },
    });
    cluster = await fixture.connected();
    fixture.fault.obey('C_EncryptInit rv 0x30', 'C_DecryptInit rv 0x30');
    const operations = [
      encrypt,
      encrypt,
      decrypt,
      () => cluster.perform('random', { lengthBytes: 8 }, inTime()),
      () => makeMaterial(cluster),
    ];
    for (const operation of operations) {
      const error = await errorOf(operation());
      expect(error).toMatchObject({ code: 'KEY_UNAVAILABLE', retryable: true });
      const { retryAfterMs = 0 } = error as HoldfastError;
      expect(retryAfterMs).toBeGreaterThan(probeDelayMs / 4);
      expect(retryAfterMs).toBeLessThanOrEqual(probeDelayMs);
    }
  });

  test('an HSM that no longer accepts the PIN: not before an operator has acted', async () => {
    fixture.fault.obey('C_Login rv 0xa0');
    fixture.fault.loseLogin();
    await errorOf(encrypt());
    await waitFor(async () =>
      expect(await errorOf(encrypt())).toMatchObject({ code: 'KEY_UNAVAILABLE', retryable: false }),
    );
    expect(await errorOf(makeMaterial(cluster))).toMatchObject({ retryable: false, retryAfterMs: undefined });
  });

  test('a key that is missing from a healthy HSM: never', async () => {
    const { pool, member } = await fixture.intruder();
    await pool.destroyKey(member, secretKeyClass, Buffer.from(material.materialId, 'hex'), soon());
    fixture.fault.loseSessions();
    await waitFor(async () =>
      expect(await errorOf(encrypt())).toMatchObject({ code: 'KMS_INVALID_STATE', retryable: false }),
    );
  });
});

describe('a token that is lost', () => {
  const tokens = () => join(fixture.hsm.directory, 'tokens');
  const lost = () => join(fixture.hsm.directory, 'lost');

  test('is never taken for a missing key or a bad ciphertext, and serves again once it is back', async () => {
    renameSync(tokens(), lost());
    const codes = [];
    for (let attempt = 0; attempt < 10; attempt += 1) codes.push(await codeOf(encrypt()), await codeOf(decrypt()));
    expect(codes.filter((code) => !['KMS_INTERNAL', 'KEY_UNAVAILABLE'].includes(code))).toEqual([]);
    expect(fixture.events).toContain('suspended one');
    await untilEvent('probe failed one');
    renameSync(lost(), tokens());
    await untilEvent('resumed one');
    expect(fixture.events).toContain('reconnected one');
    expect((await decrypt()).byteLength).toBe(1);
  });
});

test('making a key and using it for the first time searches no token: the cost does not grow with its objects', async () => {
  const called = ['C_GenerateKey', 'C_GetAttributeValue', 'C_EncryptInit', 'C_Encrypt', 'C_DecryptInit', 'C_Decrypt'];
  const before = called.map((name) => fixture.fault.calls(name));
  const searches = fixture.fault.calls('C_FindObjectsInit');
  const made = await makeMaterial(cluster);
  expect(called.map((name, index) => fixture.fault.calls(name) - (before[index] ?? 0))).toEqual([1, 1, 1, 1, 1, 1]);
  await cluster.perform('encrypt', { material: made, plaintext: Secret.fromUtf8('x'), additionalData }, inTime());
  // The first ciphertext is decrypted once.
  expect(fixture.fault.calls('C_DecryptInit') - (before[4] ?? 0)).toBe(2);
  expect(fixture.fault.calls('C_FindObjectsInit')).toBe(searches);
});

describe('material that is not what the catalog says', () => {
  const id = () => Buffer.from(material.materialId, 'hex');

  test('is not used, and alerts, if a second object has its id', async () => {
    const { pool, member } = await fixture.intruder();
    // The token accepts several keys with one id.
    await plantKey(pool, member, id(), material.label);
    await fixture.clusters().disconnect(clusterId, soon());
    cluster = await fixture.connected();
    expect(await codeOf(encrypt())).toBe('KMS_INVALID_STATE');
    expect(await codeOf(decrypt())).toBe('KMS_INVALID_STATE');
    expect(fixture.events).toContain('material-ambiguous');
    expect(fixture.events).not.toContain('suspended one');
  });

  test('is not used, and alerts, if another key has its id and label', async () => {
    const { pool, member } = await fixture.intruder();
    await pool.destroyKey(member, secretKeyClass, id(), soon());
    await plantKey(pool, member, id(), material.label);
    expect(await codeOf(encrypt())).toBe('KMS_INVALID_STATE');
    expect(await codeOf(decrypt())).toBe('KMS_INVALID_STATE');
    expect(fixture.events).toContain('canary-failed');
    expect(fixture.events).not.toContain('suspended one');
  });

  test('is not used if its label differs', async () => {
    await fixture.clusters().disconnect(clusterId, soon());
    cluster = await fixture.connected();
    material = { ...material, label: 'another' };
    expect(await codeOf(encrypt())).toBe('KMS_INVALID_STATE');
    expect(fixture.events).toContain('material-mismatch');
  });
});

describe('callers with short deadlines', () => {
  const quarantined = () => fixture.clusters().status()[0]?.members[0]?.statistics?.quarantinedLanes;

  test('cost a slow HSM no lane, and other callers no answer', async () => {
    const before = fixture.fault.calls('C_Encrypt');
    fixture.fault.obey('C_Encrypt delay 50');
    const others = Array.from({ length: 20 }, () => codeOf(encrypt()));
    const impatient = new Set<string>();
    for (let round = 0; round < 100; round += 1) {
      const codes = await Promise.all(Array.from({ length: 10 }, () => codeOf(encrypt(systemClock.monotonicMs() + 5))));
      for (const code of codes) impatient.add(code);
    }
    expect(impatient).toEqual(new Set(['DEPENDENCY_TIMEOUT']));
    expect(new Set(await Promise.all(others))).toEqual(new Set(['no error']));
    // Some of them were inside the HSM when their deadlines passed.
    expect(fixture.fault.calls('C_Encrypt') - before).toBeGreaterThan(20);
    expect(quarantined()).toBe(0);
    expect(fixture.events).toEqual(['opened one']);
    fixture.fault.heal();
    expect((await encrypt()).nonce).toHaveLength(12);
  });

  test('learn that the deadline was their own', async () => {
    fixture.fault.obey('C_Encrypt delay 300');
    const callerDeadlineOf = async (deadlineMs: number, deadlineIsCallers: boolean) => {
      const call = { deadlineMs, deadlineIsCallers };
      const refused: unknown = await cluster
        .perform('encrypt', { material, plaintext: Secret.fromUtf8('x'), additionalData }, call)
        .catch((error: unknown) => error);
      return refused instanceof HoldfastError && refused.callerDeadline;
    };
    // Inside the HSM, in the queue, and past the deadline before it began.
    for (const leftMs of [20, 1, -1]) {
      expect(await callerDeadlineOf(systemClock.monotonicMs() + leftMs, true)).toBe(true);
      expect(await callerDeadlineOf(systemClock.monotonicMs() + leftMs, false)).toBe(false);
    }
  });

  test('do not hide that the HSM hangs: its lane is quarantined after the operation timeout', async () => {
    await reconnectWith(1_000);
    fixture.fault.obey('C_EncryptInit hang');
    expect(await codeOf(encrypt(systemClock.monotonicMs() + 50))).toBe('DEPENDENCY_TIMEOUT');
    expect(fixture.events).toEqual([]);
    await untilEvent('suspended one');
    expect(fixture.events.slice(0, 2)).toEqual(['quarantined one', 'suspended one']);
    expect(quarantined()).toBe(1);
    fixture.fault.heal();
    await untilEvent('resumed one');
    expect((await encrypt()).nonce).toHaveLength(12);
  });
});

test.each(['generate', 'destroy'] as const)(
  'a call to %s a key that hangs after its caller was answered suspends no member',
  async (what) => {
    await reconnectWith(300);
    const doomed = await makeMaterial(cluster);
    fixture.fault.obey(`${what === 'generate' ? 'C_GenerateKey' : 'C_DestroyObject'} hang`);
    const deadlineMs = systemClock.monotonicMs() + 50;
    const work =
      what === 'generate'
        ? cluster.perform('generateKeyMaterial', { materialId: 'ab'.repeat(32), label: 'late' }, { deadlineMs })
        : cluster.perform('destroyKeyMaterial', { materialId: doomed.materialId }, { deadlineMs });
    expect(await codeOf(work)).toBe('DEPENDENCY_TIMEOUT');
    await untilEvent('quarantined one');
    for (let round = 0; round < 5; round += 1) expect(await codeOf(encrypt())).toBe('no error');
    expect(fixture.events).not.toContain('suspended one');
  },
);

describe('an HSM whose calls are all slow but within the timeout', () => {
  test('keeps its lanes and its admission, and answers the first use of a key', async () => {
    await fixture.clusters().disconnect(clusterId, soon());
    fixture.configure({ operationTimeoutMs: 1_000 });
    cluster = await fixture.connected();
    fixture.events.length = 0;
    // Attributes, forged canaries and canary, nonce, encryption and its check: twelve calls, each with a second of its
    // own.
    fixture.fault.obey('latency * 100');
    expect(await codeOf(encrypt())).toBe('no error');
    expect(await codeOf(decrypt())).toBe('no error');
    expect(fixture.events).toEqual([]);
    expect(fixture.clusters().status()[0]?.members[0]?.statistics?.quarantinedLanes).toBe(0);
  });
});

test('an HSM that decrypts changed ciphertexts is suspended before it has served a caller', async () => {
  fixture.fault.obey('C_Decrypt no-tag');
  await fixture.clusters().disconnect(clusterId, soon());
  cluster = await fixture.connected();
  expect(await codeOf(decrypt())).toBe('KMS_INTERNAL');
  expect(fixture.events).toContain('suspended one');
  expect(fixture.events).not.toContain('canary-failed');
  await untilEvent('probe failed one');
  fixture.fault.heal();
  await untilEvent('resumed one');
  expect((await decrypt()).byteLength).toBe(1);
});

describe('an HSM that cannot make keys', () => {
  test.each([
    ['is full', 'C_GenerateKey rv 0x31'],
    ['is write-protected', 'C_GenerateKey rv 0xe2'],
    ['hangs while it makes one', 'C_GenerateKey hang'],
  ])('because it %s keeps using those that it has', async (_why, script) => {
    await reconnectWith(300);
    fixture.fault.obey(script);
    const making = Array.from({ length: 2 }, () => codeOf(makeMaterial(cluster)));
    const codes: string[] = [];
    while (codes.length < 20) codes.push(await codeOf(encrypt()), await codeOf(decrypt()));
    expect(new Set(codes)).toEqual(new Set(['no error']));
    expect(await Promise.all(making)).not.toContain('no error');
    for (let round = 0; round < 5; round += 1) expect(await codeOf(encrypt())).toBe('no error');
    expect(fixture.events.filter((event) => !event.startsWith('quarantined'))).toEqual([]);
  });
});

describe('a cancelled request', () => {
  const row = () => fixture.clusters().status()[0]?.members[0]?.statistics;
  const cancellableEncrypt = (cancellation: RequestCancellation) =>
    codeOf(
      cluster.perform(
        'encrypt',
        { material, plaintext: Secret.fromUtf8('x'), additionalData },
        { ...inTime(), cancellation },
      ),
    );

  test('never reaches the HSM if it waits; if it runs it is answered, and its lane continues', async () => {
    fixture.fault.obey('C_EncryptInit hang');
    const first = new RequestCancellation();
    const running = cancellableEncrypt(first);
    const other = encrypt();
    await waitFor(() => expect(fixture.fault.inside('C_EncryptInit')).toBe(2));
    const before = fixture.fault.calls('C_EncryptInit');
    const second = new RequestCancellation();
    const waiting = Array.from({ length: 5 }, () => cancellableEncrypt(second));
    expect(row()?.queued).toBe(5);
    second.cancel();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['CANCELLED']));
    expect(row()?.queued).toBe(0);
    first.cancel();
    expect(await running).toBe('CANCELLED');
    expect(row()).toMatchObject({ quarantinedLanes: 0, running: 2 });
    fixture.fault.heal();
    expect((await other).nonce).toHaveLength(12);
    expect(fixture.fault.calls('C_EncryptInit')).toBe(before);
    expect(fixture.events).toEqual(['opened one']);
  });

  test('costs no encryption if it was cancelled before it began', async () => {
    const cancellation = new RequestCancellation();
    cancellation.cancel();
    fixture.spending.spent.length = 0;
    expect(await cancellableEncrypt(cancellation)).toBe('CANCELLED');
    expect(fixture.spending.spent).toEqual([]);
  });
});

describe('the budget of encryptions', () => {
  const generateDataKey = () =>
    cluster.perform('generateDataKey', { material, lengthBytes: 32, additionalData }, inTime());

  test('is spent by encryptions only', async () => {
    fixture.spending.spent.length = 0;
    await encrypt();
    await generateDataKey();
    await decrypt();
    await cluster.perform('random', { lengthBytes: 32 }, inTime());
    expect(fixture.spending.spent).toEqual([material.materialId, material.materialId]);
  });

  test('is spent before each attempt: if it is refused, nothing is encrypted', async () => {
    const calls = fixture.fault.calls('C_EncryptInit');
    fixture.spending.refusal = new HoldfastError('KMS_INVALID_STATE', 'spent', { retryable: false });
    expect(await codeOf(encrypt())).toBe('KMS_INVALID_STATE');
    expect(await codeOf(generateDataKey())).toBe('KMS_INVALID_STATE');
    expect(fixture.fault.calls('C_EncryptInit')).toBe(calls);
    expect((await decrypt()).byteLength).toBe(1);
    fixture.spending.refusal = undefined;
    await encrypt();
    expect(fixture.fault.calls('C_EncryptInit')).toBe(calls + 1);
  });
});

describe('two members that hold the same keys', () => {
  /** One token that appears as two members, as a vendor's own replication looks from this side. */
  beforeEach(async () => {
    await fixture.clusters().disconnect(clusterId, soon());
    const module = {
      ...fixture.fault.module,
      libraryPath: fixture.hsm.libraryPath,
      environment: fixture.hsm.environment,
    };
    const replica = putFaultsBefore(fixture.hsm, 'fault', 'replica-2').module;
    const members = [fixture.member({ name: 'ill', module: replica }), fixture.member({ name: 'well', module })];
    fixture.configure({ members, operationTimeoutMs: 1_000 });
    cluster = await fixture.connected();
  });

  test('callers do not notice one that fails', async () => {
    fixture.fault.obey('C_EncryptInit rv 0x30', 'C_DecryptInit rv 0x30', 'C_GenerateRandom rv 0x30');
    const codes = await Promise.all(Array.from({ length: 20 }, () => codeOf(encrypt())));
    expect(new Set(codes)).toEqual(new Set(['no error']));
    expect(new Set(await Promise.all(Array.from({ length: 20 }, () => codeOf(decrypt()))))).toEqual(
      new Set(['no error']),
    );
    expect(fixture.events).toContain('suspended ill');
    expect(fixture.events).not.toContain('suspended well');
  });

  test('one that hangs costs callers time but no answer', async () => {
    fixture.fault.obey('C_EncryptInit hang', 'C_DecryptInit hang', 'C_GenerateRandom hang');
    const soonEnough = () => systemClock.monotonicMs() + 4_000;
    for (let round = 0; round < 3; round += 1) {
      const codes = await Promise.all(Array.from({ length: 64 }, () => codeOf(encrypt(soonEnough()))));
      expect(new Set(codes)).toEqual(new Set(['no error']));
    }
    await untilEvent('suspended ill');
    expect(fixture.events).not.toContain('suspended well');
    fixture.fault.heal();
  });

  test('one that hangs while a key is proved blocks no caller, not even those that wait for the proof', async () => {
    fixture.fault.obey('C_DecryptInit hang');
    const codes = await Promise.all(Array.from({ length: 20 }, () => codeOf(encrypt())));
    expect(new Set(codes)).toEqual(new Set(['no error']));
  });

  test('each attempt of an encryption spends, retries included', async () => {
    fixture.fault.obey('C_EncryptInit rv 0x30');
    fixture.spending.spent.length = 0;
    const before = fixture.fault.calls('C_EncryptInit');
    const codes = await Promise.all(Array.from({ length: 20 }, () => codeOf(encrypt())));
    expect(new Set(codes)).toEqual(new Set(['no error']));
    // Within one attempt a lane may begin several times, which encrypts nothing.
    expect(fixture.spending.spent.length).toBeGreaterThan(20);
    expect(fixture.spending.spent.length - 20).toBeLessThanOrEqual(fixture.fault.calls('C_EncryptInit') - before);
  });

  test('an operation that must not be repeated is tried once', async () => {
    fixture.fault.obey('C_GenerateKey rv 0x30');
    expect(await codeOf(makeMaterial(cluster))).toBe('KEY_UNAVAILABLE');
    expect(fixture.fault.calls('C_GenerateKey')).toBe(2);
  });
});
