import { secretKeyClass } from '../../src/hsm/material-cache.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PromisePool } from './promise-pool.js';
import { createSoftHsm, type SoftHsm } from '../softhsm.js';
import {
  addon,
  connect,
  failureOf,
  makeKey,
  makeMacKey,
  memberOptions,
  moduleOf,
  soon,
  text,
  type TestKey,
} from './fixture.js';

let hsm: SoftHsm;
let pool: PromisePool;
let member: number;
let key: TestKey;

beforeAll(async () => {
  hsm = createSoftHsm({ tokens: [{ label: 'alpha', userPin: '1234' }] });
  pool = addon.createPool(1000);
  member = await connect(pool, memberOptions(moduleOf(hsm), 'alpha'), '1234');
  key = await makeKey(pool, member);
});

afterAll(async () => {
  expect(await pool.close(soon())).toBe(0);
  hsm.dispose();
});

describe('operations on one token', () => {
  test('encrypt and decrypt return the plaintext and name the member and the epoch', async () => {
    const encrypted = await pool.encrypt(null, key.reference, text('hello'), text('context'), soon());
    expect(encrypted.member).toBe(member);
    expect(encrypted.epoch).toBe(pool.statistics()[0]?.epoch);
    expect(encrypted.value.nonce).toHaveLength(12);
    expect(encrypted.value.ciphertext).toHaveLength(5 + 16);
    const { nonce, ciphertext } = encrypted.value;
    const opened = await pool.decrypt(member, key.reference, nonce, ciphertext, text('context'), soon());
    expect(opened.value).toEqual(text('hello'));
  });

  test('a result says when a lane took it and how long it held the lane', async () => {
    const nowMs = () => Number(process.hrtime.bigint()) / 1e6;
    const beforeMs = nowMs();
    const { startedMs, laneMs } = await pool.encrypt(null, key.reference, text('hello'), text(''), soon());
    const afterMs = nowMs();
    expect(startedMs).toBeGreaterThanOrEqual(beforeMs);
    expect(laneMs).toBeGreaterThan(0);
    expect(startedMs + laneMs).toBeLessThanOrEqual(afterMs);
  });

  test.each([
    ['nothing at all', 0, 0],
    ['no additional data', 32, 0],
    ['no plaintext', 0, 100],
    ['a megabyte', 1_048_576, 8192],
  ])('takes %s', async (_name, plaintextLength, dataLength) => {
    const plaintext = new Uint8Array(plaintextLength).fill(7);
    const data = new Uint8Array(dataLength).fill(9);
    const { value } = await pool.encrypt(null, key.reference, plaintext, data, soon());
    const opened = await pool.decrypt(null, key.reference, value.nonce, value.ciphertext, data, soon());
    expect(Buffer.compare(opened.value, plaintext)).toBe(0);
  });

  test('copies its inputs before the call returns', async () => {
    const plaintext = text('before');
    const encrypting = pool.encrypt(null, key.reference, plaintext, text(''), soon());
    plaintext.fill(0);
    const { value } = await encrypting;
    const opened = await pool.decrypt(null, key.reference, value.nonce, value.ciphertext, text(''), soon());
    expect(opened.value).toEqual(text('before'));
  });

  test('a data key is the plaintext of its own ciphertext', async () => {
    const { value } = await pool.generateDataKey(null, key.reference, 32, text('x'), soon());
    expect(value.plaintext).toHaveLength(32);
    const opened = await pool.decrypt(null, key.reference, value.nonce, value.ciphertext, text('x'), soon());
    expect(opened.value).toEqual(value.plaintext);
  });

  test.each([28, 32, 48, 64])('a key for MACs of %i bytes makes them, and can do nothing else', async (length) => {
    const { id, reference, material } = await makeMacKey(pool, member, length);
    expect(material.canaryMac).toHaveLength(length);
    const { value: mac } = await pool.mac(null, reference, text('a message'), null, soon());
    expect(mac).toHaveLength(length);
    expect((await pool.mac(null, reference, text('a message'), mac, soon())).value).toEqual(mac);
    expect((await pool.mac(null, reference, text('another'), mac, soon())).value).not.toEqual(mac);
    const [attributes] = (await pool.readAttributes(member, secretKeyClass, id, soon())).value;
    expect(attributes).toMatchObject({ keyType: 0x10, sensitive: true, extractable: false, sign: true, verify: true });
    expect(attributes).toMatchObject({ encrypt: false, decrypt: false, wrap: false, unwrap: false, derive: false });
    expect(await failureOf(pool.mac(null, key.reference, text('x'), null, soon()))).toMatchObject({
      kind: 'material-mismatch',
    });
  });

  test('a key for MACs under whose id another key is found is not used, and a wrong MAC has it tried again', async () => {
    const one = await makeMacKey(pool, member);
    const other = await makeMacKey(pool, member);
    const swapped = addon.createMaterial({ ...one.material, canaryMac: other.material.canaryMac });
    expect(await failureOf(pool.mac(null, swapped, text('x'), null, soon()))).toMatchObject({ kind: 'canary-failed' });
    const aes = { ...one.material, id: key.id, label: key.label };
    expect(await failureOf(pool.mac(null, addon.createMaterial(aes), text('x'), null, soon()))).toMatchObject({
      kind: 'material-mismatch',
    });
  });

  test('a length that is no HMAC of SHA-2 makes no key', async () => {
    const id = new Uint8Array(32).fill(0x5a);
    expect(await failureOf(pool.generateMacKey(member, id, 'x', 20, false, soon()))).toMatchObject({
      kind: 'material-mismatch',
    });
  });

  test('random bytes have the requested length and differ', async () => {
    const one = await pool.random(null, 1024, soon());
    const two = await pool.random(null, 1024, soon());
    expect(one.value).toHaveLength(1024);
    expect(one.value).not.toEqual(two.value);
  });

  test('a generated key has exactly the attributes of the design', async () => {
    const { value } = await pool.readAttributes(member, secretKeyClass, key.id, soon());
    const yes = { isToken: true, isPrivate: true, sensitive: true, encrypt: true, decrypt: true };
    const proofs = { alwaysSensitive: true, neverExtractable: true, local: true };
    const no = {
      extractable: false,
      wrapWithTrusted: false,
      sign: false,
      verify: false,
      wrap: false,
      unwrap: false,
      derive: false,
    };
    const rest = { label: 'key', keyType: 0x1f, valueLength: 32, modifiable: false };
    expect(value).toEqual([{ ...rest, ...yes, ...proofs, ...no }]);
  });

  test('the inventory shows every key once', async () => {
    const entries = await pool.inventory(member, soon());
    const found = entries.filter((entry) => Buffer.compare(entry.id, key.id) === 0);
    expect(found).toEqual([{ objectClass: 4, id: key.id, label: 'key' }]);
  });

  test('a destroyed key is missing, and its destruction counts', async () => {
    const doomed = await makeKey(pool, member, 'doomed');
    await pool.probe(member, doomed.reference, soon());
    expect((await pool.destroyKey(member, secretKeyClass, doomed.id, soon())).value).toBe(1);
    expect((await pool.destroyKey(member, secretKeyClass, doomed.id, soon())).value).toBe(0);
    const failure = await failureOf(pool.encrypt(null, doomed.reference, text('x'), text(''), soon()));
    expect(failure).toMatchObject({ kind: 'material-missing', rv: 0, member, callerFault: false });
  });

  test('the token describes itself', async () => {
    const token = await pool.tokenInfo(member, soon());
    expect(token).toMatchObject({ label: 'alpha', manufacturer: 'SoftHSM project' });
    expect(token.mechanisms).toContain(0x1087);
    expect(typeof token.slotId).toBe('bigint');
    const listed = await addon.listTokens(moduleOf(hsm), soon());
    expect(listed.map(({ label }) => label)).toContain('alpha');
  });

  test('ten thousand operations at once are all answered', async () => {
    const many = addon.createPool(20_000);
    const other = await connect(many, memberOptions(moduleOf(hsm), 'alpha'), '1234');
    const all = Array.from({ length: 10_000 }, () => many.encrypt(null, key.reference, text('x'), text('y'), soon()));
    const results = await Promise.all(all);
    expect(new Set(results.map(({ value }) => Buffer.from(value.nonce).toString('hex'))).size).toBe(10_000);
    expect(many.statistics()[0]).toMatchObject({ member: other, queued: 0, running: 0, logins: 1 });
    expect(await many.close(soon())).toBe(0);
  });
});
