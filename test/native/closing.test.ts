import { secretKeyClass } from '../../src/hsm/material-cache.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PromisePool } from './promise-pool.js';
import { createSoftHsm, type SoftHsm } from '../softhsm.js';
import { putFaultsBefore } from './fault-hsm.js';
import { addon, connect, failureOf, inMilliseconds, makeKey, memberOptions, moduleOf, soon, text } from './fixture.js';
import type { TestKey } from './fixture.js';

let hsm: SoftHsm;
let closed: PromisePool;
let key: TestKey;
const id = new Uint8Array(32);
const empty = new Uint8Array(0);

beforeAll(async () => {
  hsm = createSoftHsm({ tokens: [{ label: 'alpha', userPin: '1234' }] });
  closed = addon.createPool(10);
  await connect(closed, memberOptions(moduleOf(hsm), 'alpha'), '1234');
  key = await makeKey(closed, 0);
  await closed.close(soon());
});

afterAll(() => {
  hsm.dispose();
});

describe('on a closed pool', () => {
  const calls: [string, () => Promise<unknown>][] = [
    ['openMember', () => closed.openMember(memberOptions(moduleOf(hsm), 'alpha'), soon())],
    ['loginMember', () => closed.loginMember(0, text('1234'), soon(), null)],
    ['inventory', () => closed.inventory(0, soon())],
    ['tokenInfo', () => closed.tokenInfo(0, soon())],
    ['closeMember', () => closed.closeMember(0, soon())],
    ['detachMember', () => closed.detachMember(0, soon())],
    ['generateKey', () => closed.generateKey(null, id, 'x', empty, empty, false, soon())],
    ['generateMacKey', () => closed.generateMacKey(null, id, 'x', 32, false, soon())],
    ['destroyKey', () => closed.destroyKey(0, secretKeyClass, id, soon())],
    ['readAttributes', () => closed.readAttributes(0, secretKeyClass, id, soon())],
    ['probe', () => closed.probe(0, key.reference, soon())],
    ['wrapKey', () => closed.wrapKey(0, key.reference, 'cluster-1a2b3c4d5e6', 1, soon())],
    ['unwrapKey', () => closed.unwrapKey(0, key.reference, 'cluster-1a2b3c4d5e6', 1, empty, false, soon())],
    ['backupMac', () => closed.backupMac(0, 'cluster-1a2b3c4d5e6', 1, empty, soon())],
    ['proveBlob', () => closed.proveBlob(0, key.reference, 'cluster-1a2b3c4d5e6', 1, empty, soon())],
    ['resolveDuplicates', () => closed.resolveDuplicates(0, key.reference, soon())],
    ['rewrapBlob', () => closed.rewrapBlob(0, key.reference, 'cluster-1a2b3c4d5e6', 1, empty, 2, soon())],
    ['encrypt', () => closed.encrypt(null, key.reference, empty, empty, soon())],
    ['decrypt', () => closed.decrypt(null, key.reference, empty, new Uint8Array(16), empty, soon())],
    ['generateDataKey', () => closed.generateDataKey(null, key.reference, 32, empty, soon())],
    ['mac', () => closed.mac(null, key.reference, empty, null, soon())],
    ['random', () => closed.random(null, 8, soon())],
  ];

  test.each(calls)('%s is refused', async (_name, call) => {
    expect(await failureOf(call())).toMatchObject({ kind: 'closed', rv: 0 });
  });

  test('suspend and resume throw, statistics are empty, close is idempotent', async () => {
    expect(() => closed.suspend(0)).toThrow(expect.objectContaining({ kind: 'closed' }));
    expect(() => closed.resume(0)).toThrow(expect.objectContaining({ kind: 'closed' }));
    expect(closed.statistics()).toEqual([]);
    expect(await closed.close(soon())).toBe(0);
  });
});

describe('closing', () => {
  test('drains accepted work', async () => {
    const pool = addon.createPool(1000);
    await connect(pool, memberOptions(moduleOf(hsm), 'alpha'), '1234');
    const work = Array.from({ length: 500 }, () => pool.encrypt(null, key.reference, text('x'), empty, soon()));
    const closing = pool.close(soon());
    expect(await Promise.all(work)).toHaveLength(500);
    expect(await closing).toBe(0);
  });
});

describe('deadlines and bounds', () => {
  test('a deadline that has passed in the queue never touches the token; a full queue refuses', async () => {
    const slow = putFaultsBefore(hsm);
    const pool = addon.createPool(3);
    await connect(pool, memberOptions(slow.module, 'alpha', { laneCount: 1 }), '1234');
    slow.obey('C_GenerateRandom delay 600');
    const busy = pool.random(null, 8, soon());
    const late = [1, 2, 3].map(() => failureOf(pool.random(null, 8, inMilliseconds(200))));
    const over = await failureOf(pool.random(null, 8, soon()));
    expect(over).toMatchObject({ kind: 'queue-full' });
    for (const failure of await Promise.all(late)) expect(failure).toMatchObject({ kind: 'queue-deadline', rv: 0 });
    await busy;
    expect(slow.calls('C_GenerateRandom')).toBe(1);
    const past = await failureOf(pool.random(null, 8, inMilliseconds(-1000)));
    expect(past.kind).toBe('queue-deadline');
    expect(pool.statistics()[0]).toMatchObject({ quarantinedLanes: 0, queued: 0 });
    expect(await pool.close(soon())).toBe(0);
  });
});

describe('the table of return values', () => {
  test('has a row for every CKR_ name and only codes that callers know', () => {
    const rows = addon.returnValues();
    expect(rows.length).toBeGreaterThan(90);
    expect(rows.find(({ name }) => name === 'CKR_DEVICE_REMOVED')).toEqual({
      name: 'CKR_DEVICE_REMOVED',
      value: 0x32,
      code: 'KMS_INVALID_STATE',
      login: 'not-judged',
      transient: true,
      poisonsSession: true,
      poisonsMember: true,
      countsAgainstBreaker: true,
      sessionLost: false,
      objectLost: false,
      loginLost: false,
      tokenLost: true,
    });
    const invalid = rows.filter(({ code }) => code === 'INVALID_CIPHERTEXT').map(({ value }) => value);
    expect(invalid).toEqual([0x40, 0x41, 0x42]);
  });
});
