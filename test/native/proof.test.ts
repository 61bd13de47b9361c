import { secretKeyClass } from '../../src/hsm/material-cache.js';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PromisePool } from './promise-pool.js';
import { createSoftHsm, type SoftHsm } from '../softhsm.js';
import {
  addon,
  connect,
  failureOf,
  makeKey,
  memberOptions,
  moduleOf,
  plantKey,
  soon,
  text,
  type TestKey,
} from './fixture.js';

let hsm: SoftHsm;
let pool: PromisePool;
let intruder: PromisePool;
let key: TestKey;

const encrypt = () => pool.encrypt(0, key.reference, text('x'), text(''), soon());
const decrypt = (nonce: Uint8Array, ciphertext: Uint8Array, data = text('')) =>
  pool.decrypt(0, key.reference, nonce, ciphertext, data, soon());

beforeEach(async () => {
  hsm = createSoftHsm({ tokens: [{ label: 'alpha', userPin: '1234' }] });
  pool = addon.createPool(1000);
  intruder = addon.createPool(1000);
  await connect(pool, memberOptions(moduleOf(hsm), 'alpha'), '1234');
  key = await makeKey(pool, 0);
});

afterEach(async () => {
  expect(await pool.close(soon())).toBe(0);
  expect(await intruder.close(soon())).toBe(0);
  hsm.dispose();
});

describe('a handle proves itself before use', () => {
  test('a second object with the same id makes the material ambiguous', async () => {
    await connect(intruder, memberOptions(moduleOf(hsm), 'alpha'), '1234');
    await plantKey(intruder, 0, key.id, 'key');
    // The key was proved when it was made: it is found anew in the next epoch.
    await pool.loginMember(0, text('1234'), soon(), null);
    expect(await failureOf(encrypt())).toMatchObject({ kind: 'material-ambiguous', member: 0, rv: 0 });
    expect(await failureOf(pool.probe(0, key.reference, soon()))).toMatchObject({ kind: 'material-ambiguous' });
    expect((await pool.readAttributes(0, secretKeyClass, key.id, soon())).value).toHaveLength(2);
    expect((await pool.destroyKey(0, secretKeyClass, key.id, soon())).value).toBe(2);
  });

  test('a second object planted after the proof is found at the next inventory', async () => {
    await encrypt();
    await connect(intruder, memberOptions(moduleOf(hsm), 'alpha'), '1234');
    await plantKey(intruder, 0, key.id, 'key');
    await encrypt();
    const entries = await pool.inventory(0, soon());
    expect(entries).toHaveLength(2);
    expect(await failureOf(encrypt())).toMatchObject({ kind: 'material-ambiguous' });
  });

  test('another key under the same label and id fails the canary, proved or not', async () => {
    await encrypt();
    await connect(intruder, memberOptions(moduleOf(hsm), 'alpha'), '1234');
    await intruder.destroyKey(0, secretKeyClass, key.id, soon());
    await plantKey(intruder, 0, key.id, 'key');
    expect(await failureOf(encrypt())).toMatchObject({ kind: 'canary-failed', callerFault: false });
    expect(await failureOf(pool.probe(0, key.reference, soon()))).toMatchObject({ kind: 'canary-failed' });
    const other = await failureOf(intruder.encrypt(null, key.reference, text('x'), text(''), soon()));
    expect(other).toMatchObject({ kind: 'canary-failed' });
  });

  test('attributes that differ from the record are a mismatch', async () => {
    for (const change of [{ label: 'another' }, { extractable: true }]) {
      const reference = addon.createMaterial({ ...key.material, ...change });
      expect(await failureOf(pool.probe(0, reference, soon()))).toMatchObject({ kind: 'material-mismatch' });
    }
  });

  test('a proof is valid only for the same content', async () => {
    await encrypt();
    const same = addon.createMaterial({ ...key.material });
    await pool.encrypt(0, same, text('x'), text(''), soon());
    const wrong = addon.createMaterial({ ...key.material, canaryPlaintext: text('something else') });
    const failure = await failureOf(pool.encrypt(0, wrong, text('x'), text(''), soon()));
    expect(failure).toMatchObject({ kind: 'canary-failed' });
  });

  test('a new epoch proves again', async () => {
    const before = (await encrypt()).epoch;
    const { epoch } = await pool.loginMember(0, text('1234'), soon(), null);
    expect(epoch).toBeGreaterThan(before);
    expect(pool.statistics()[0]).toMatchObject({ cachedHandles: 0, logins: 2, lanes: 2 });
    expect((await encrypt()).epoch).toBe(epoch);
    expect(pool.statistics()[0]?.cachedHandles).toBe(1);
  });
});

describe('a wrong ciphertext', () => {
  test('is the caller’s fault: ciphertext, tag, nonce, additional data', async () => {
    const { nonce, ciphertext } = (await encrypt()).value;
    const flip = (bytes: Uint8Array, at: number) => bytes.map((byte, index) => (index === at ? byte ^ 1 : byte));
    const attempts = [
      () => decrypt(nonce, flip(ciphertext, 0)),
      () => decrypt(nonce, flip(ciphertext, ciphertext.length - 1)),
      () => decrypt(flip(nonce, 3), ciphertext),
      () => decrypt(nonce, ciphertext, text('other')),
      () => decrypt(nonce, ciphertext.slice(1)),
      () => decrypt(nonce, new Uint8Array(16)),
    ];
    for (const attempt of attempts) {
      expect(await failureOf(attempt())).toMatchObject({ kind: 'rv', functionName: 'C_Decrypt', callerFault: true });
    }
    // Even when the canary's last success is forgotten.
    await sleep(1_050);
    expect(await failureOf(decrypt(nonce, flip(ciphertext, 0)))).toMatchObject({ callerFault: true });
    expect((await decrypt(nonce, ciphertext)).value).toEqual(text('x'));
  });

  test('shorter than a tag, it never reaches the token', async () => {
    for (const length of [0, 1, 15]) {
      const failure = await failureOf(decrypt(new Uint8Array(12), new Uint8Array(length)));
      expect(failure).toMatchObject({ kind: 'rv', rv: 0x41, functionName: '', callerFault: true });
    }
  });

  test('a thousand of them at once do not disturb the good ones', async () => {
    const { nonce, ciphertext } = (await encrypt()).value;
    const bad = Array.from({ length: 500 }, () => failureOf(decrypt(nonce, ciphertext, text('bad'))));
    const good = Array.from({ length: 400 }, () => decrypt(nonce, ciphertext));
    expect((await Promise.all(bad)).every(({ callerFault }) => callerFault)).toBe(true);
    expect(await Promise.all(good)).toHaveLength(400);
  });
});
