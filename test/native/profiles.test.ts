/** The effects of a profile inside the addon, on a module that behaves as CloudHSM's documentation says. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NativeProfile } from '../../src/hsm/native-profile.js';
import type { PromisePool } from './promise-pool.js';
import { nativeProfile } from '../../src/hsm/profiles/effective-profile.js';
import { detectProfile, vendorProfiles } from '../../src/hsm/profiles/profiles.js';
import { createSoftHsm, type SoftHsm } from '../softhsm.js';
import { addon, failureOf, makeKey, memberOptions, moduleOf, soon, text } from './fixture.js';
import { putVendorBefore } from './vendor-hsm.js';

const pin = '1234';
let hsm: SoftHsm;
let pool: PromisePool;

beforeEach(() => {
  hsm = createSoftHsm({ tokens: [{ label: 'alpha', userPin: pin }] });
  pool = addon.createPool(1_000);
});

afterEach(async () => {
  expect(await pool.close(soon())).toBe(0);
  hsm.dispose();
});

async function connectTo(module = putVendorBefore(hsm).module, profile?: NativeProfile): Promise<number> {
  const { member } = await pool.openMember(memberOptions(module, 'alpha'), soon());
  if (profile !== undefined) pool.setProfile(member, profile, 2);
  await pool.loginMember(member, text(pin), soon(), null);
  pool.resume(member);
  return member;
}

const cloudhsm = nativeProfile(vendorProfiles.cloudhsm, []);

describe('modules', () => {
  test('name their maker', async () => {
    const [real] = await addon.listTokens(moduleOf(hsm), soon());
    expect(real).toMatchObject({ libraryManufacturer: 'SoftHSM', libraryDescription: 'Implementation of PKCS11' });
    expect(real).toMatchObject({
      libraryVersion: '2.6',
      // SoftHSM's MIN_PIN_LEN and MAX_PIN_LEN.
      minPinLength: 4,
      maxPinLength: 255,
      maxSessionCount: null,
      maxRwSessionCount: null,
      sessionCount: null,
    });
    expect(detectProfile(real ?? expect.fail()).name).toBe('softhsm');
    const [standIn] = await addon.listTokens(putVendorBefore(hsm).module, soon());
    expect(detectProfile(standIn ?? expect.fail()).name).toBe('cloudhsm');
  });
});

describe('nonces made by the token', () => {
  test('come back from it, differ, and decrypt', async () => {
    const member = await connectTo(undefined, cloudhsm);
    const key = await makeKey(pool, member);
    const nonces = new Set<string>();
    for (let i = 0; i < 50; i += 1) {
      const { value } = await pool.encrypt(member, key.reference, text('hello'), text('aad'), soon());
      expect(value.nonce).toHaveLength(12);
      nonces.add(Buffer.from(value.nonce).toString('hex'));
      const opened = await pool.decrypt(member, key.reference, value.nonce, value.ciphertext, text('aad'), soon());
      expect(Buffer.from(opened.value).toString()).toBe('hello');
    }
    expect(nonces.size).toBe(50);
    const dataKey = await pool.generateDataKey(member, key.reference, 32, text(''), soon());
    const { nonce, ciphertext, plaintext } = dataKey.value;
    const opened = await pool.decrypt(member, key.reference, nonce, ciphertext, text(''), soon());
    expect(opened.value).toEqual(plaintext);
  });

  test('a token that demands its own nonces refuses ours', async () => {
    const member = await connectTo();
    const failure = await failureOf(makeKey(pool, member));
    expect(failure).toMatchObject({ kind: 'rv', functionName: 'C_EncryptInit', rv: 0x71 });
  });

  test('a ciphertext under a nonce that the token did not make is never returned', async () => {
    const member = await connectTo(putVendorBefore(hsm, { makesNonces: false }).module, cloudhsm);
    const failure = await failureOf(makeKey(pool, member));
    expect(failure).toMatchObject({ kind: 'rv', functionName: 'C_Encrypt', rv: 0x71, callerFault: false });
    expect(failure.message).toContain('made no nonce');
  });
});

describe('the maximum buffer', () => {
  test('is known before the token is asked', async () => {
    const member = await connectTo(undefined, cloudhsm);
    const key = await makeKey(pool, member);
    const longest = await pool.encrypt(member, key.reference, new Uint8Array(16_224), text(''), soon());
    expect(longest.value.ciphertext).toHaveLength(16_240);
    const tooLong = new Uint8Array(16_225);
    expect(await failureOf(pool.encrypt(member, key.reference, tooLong, text(''), soon()))).toMatchObject({
      kind: 'too-long',
      rv: 0,
    });
    const ciphertext = new Uint8Array(16_225 + 16);
    const nonce = new Uint8Array(12);
    const decrypted = failureOf(pool.decrypt(member, key.reference, nonce, ciphertext, text(''), soon()));
    expect(await decrypted).toMatchObject({ kind: 'too-long', callerFault: false });
  });

  test('without a profile the token itself refuses', async () => {
    const profile = { ...cloudhsm, maximumGcmBytes: null };
    const member = await connectTo(undefined, profile);
    const key = await makeKey(pool, member);
    const failure = await failureOf(pool.encrypt(member, key.reference, new Uint8Array(16_225), text(''), soon()));
    expect(failure).toMatchObject({ kind: 'rv', functionName: 'C_Encrypt', rv: 0x21 });
  });
});

describe('the codes of a wrong tag', () => {
  // The stand-in answers CKR_FUNCTION_FAILED.
  test('whatever the code, a wrong ciphertext is the caller’s fault', async () => {
    const member = await connectTo(undefined, cloudhsm);
    const key = await makeKey(pool, member);
    const { value } = await pool.encrypt(member, key.reference, text('hello'), text(''), soon());
    const wrong = value.ciphertext.map((byte, index) => (index === 0 ? byte ^ 1 : byte));
    const failure = await failureOf(pool.decrypt(member, key.reference, value.nonce, wrong, text(''), soon()));
    expect(failure).toMatchObject({ kind: 'rv', functionName: 'C_Decrypt', rv: 0x6, callerFault: true });
  });
});
