/**
 * Every PKCS#11 function that the addon calls, with every kind of wrong output that comes with CKR_OK: the result is a
 * failure of the HSM or the right answer, never a wrong answer, never the caller's fault, and no more calls than a
 * bound.
 */
import { secretKeyClass } from '../../src/hsm/material-cache.js';
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { NativeFailure, NativeTokenInfo } from '../../src/hsm/native.js';
import type { PromisePool } from './promise-pool.js';
import { createSoftHsm, type SoftHsm } from '../softhsm.js';
import { type FaultHsm, putFaultsBefore } from './fault-hsm.js';
import { addon, connect, makeKey, makeMacKey, memberOptions, plantKey, soon, text, type TestKey } from './fixture.js';

let hsm: SoftHsm;
let fault: FaultHsm;
let pool: PromisePool;
let key: TestKey;
let macKey: TestKey;
let mac: Uint8Array;
let nonce: Uint8Array;
let ciphertext: Uint8Array;

const zeroes = new Uint8Array(64);
const freshId = () => new Uint8Array(Array.from({ length: 32 }, () => Math.floor(Math.random() * 256)));

/** The operations that meet the lie. Each resolves only with a right answer, and throws otherwise. */
const operations = {
  async encrypt() {
    const encrypted = await pool.encrypt(0, key.reference, zeroes, text('data'), soon());
    fault.heal();
    const { value } = await pool.decrypt(
      0,
      key.reference,
      encrypted.value.nonce,
      encrypted.value.ciphertext,
      text('data'),
      soon(),
    );
    expect(value).toEqual(zeroes);
  },
  /** The first output of a call that repeats the previous one is right. */
  async 'encrypt twice'() {
    for (const plaintext of [zeroes, zeroes.map((_, index) => index)]) {
      const { value: encrypted } = await pool.encrypt(0, key.reference, plaintext, text('data'), soon());
      const opened = await pool.decrypt(0, key.reference, encrypted.nonce, encrypted.ciphertext, text('data'), soon());
      expect(opened.value).toEqual(plaintext);
    }
  },
  async 'generate a data key'() {
    const { value } = await pool.generateDataKey(0, key.reference, 32, text('data'), soon());
    const opened = await pool.decrypt(0, key.reference, value.nonce, value.ciphertext, text('data'), soon());
    expect(opened.value).toEqual(value.plaintext);
  },
  async decrypt() {
    const { value } = await pool.decrypt(0, key.reference, nonce, ciphertext, text('data'), soon());
    expect(value).toEqual(zeroes);
  },
  async 'make a key'() {
    const made = await makeKey(pool, 0);
    fault.heal();
    await pool.probe(0, made.reference, soon());
  },
  /** Draws twice: equal draws would come from an RNG that repeats itself. */
  async random() {
    const draws = [await pool.random(0, 1_000, soon()), await pool.random(0, 1_000, soon())];
    expect(new Set(draws.map(({ value }) => Buffer.from(value).toString('hex'))).size).toBe(2);
  },
  async 'make a MAC'() {
    const { value } = await pool.mac(0, macKey.reference, zeroes, null, soon());
    expect(value).toEqual(mac);
  },
  async 'make a key for MACs'() {
    const made = await makeMacKey(pool, 0);
    fault.heal();
    await pool.probe(0, made.reference, soon());
  },
  /** Draws the length of a data key. */
  async 'short random'() {
    await pool.random(0, 32, soon());
  },
  /** Finds the key, reads its attributes, tries its canary. */
  probe: () => pool.probe(0, key.reference, soon()),
  async destroy() {
    const doomed = await pool.destroyKey(0, secretKeyClass, key.id, soon());
    expect(doomed.value).toBe(1);
    fault.heal();
    expect((await pool.readAttributes(0, secretKeyClass, key.id, soon())).value).toEqual([]);
  },
  async 'destroy a missing key'() {
    expect((await pool.destroyKey(0, secretKeyClass, freshId(), soon())).value).toBe(0);
  },
  async 'read attributes'() {
    const { value } = await pool.readAttributes(0, secretKeyClass, key.id, soon());
    expect(value).toMatchObject([
      { label: 'key', sensitive: true, extractable: false, keyType: 0x1f, valueLength: 32 },
    ]);
  },
  async 'read attributes twice'() {
    await operations['read attributes']();
    await operations['read attributes']();
  },
  async inventory() {
    const entries = await pool.inventory(0, soon());
    expect(entries.map(({ id }) => Buffer.from(id).toString('hex'))).toContain(Buffer.from(key.id).toString('hex'));
  },
  async 'token information'() {
    const information = await pool.tokenInfo(0, soon());
    for (const field of textFields) expect(information[field]).toMatch(/^[\x20-\x7e]*$/);
  },
  async 'list tokens'() {
    const tokens = await addon.listTokens(fault.module, soon());
    expect(tokens).not.toHaveLength(0);
    for (const token of tokens) for (const field of textFields) expect(token[field]).toMatch(/^[\x20-\x7e]*$/);
  },
  async reopen() {
    await pool.reopenMember(0, soon());
    await pool.loginMember(0, text('1234'), soon(), null);
    await operations.inventory();
  },
};

const textFields = [
  'label',
  'serialNumber',
  'manufacturer',
  'model',
  'libraryManufacturer',
  'libraryDescription',
] as const satisfies (keyof NativeTokenInfo)[];

type Expected = 'right' | 'bad-output' | Partial<Pick<NativeFailure, 'rv' | 'kind' | 'functionName'>>;

interface Lie {
  functionName: string;
  lie: string;
  operation: keyof typeof operations;
  expected: Expected[];
  /** The maximum calls of the function for the operation. */
  mostCalls: number;
}

const lies: Lie[] = [];

function addLies(
  functionName: string,
  operation: Lie['operation'],
  words: string,
  expected: Expected | Expected[] = 'bad-output',
  mostCalls = 4,
): void {
  for (const lie of words.split(', '))
    lies.push({ functionName, lie, operation, expected: [expected].flat(), mostCalls });
}

/** CKR_OPERATION_NOT_INITIALIZED: the pretended operation has not begun. */
const notBegun = { rv: 0x91 };
const selfTestFailed = { kind: 'self-test-failed' } as const;

addLies('C_Initialize', 'reopen', 'pretend', { rv: 0x190 });
// Another user has initialised the module, with unknown options.
addLies('C_Finalize', 'reopen', 'pretend', { kind: 'module-in-use' });
addLies('C_GetInfo', 'token information', 'pretend, garbage', 'right');
addLies('C_GetSlotList', 'reopen', 'long, huge, repeat, pretend');
addLies('C_GetSlotList', 'reopen', 'grow', 'bad-output', 20);
addLies('C_GetSlotList', 'reopen', 'times 2 grow', 'right', 20);
addLies('C_GetTokenInfo', 'token information', 'pretend');
// The serial number has changed since the token was opened, so this must be taken for another token.
addLies('C_GetTokenInfo', 'token information', 'garbage, flip', { rv: 0x32 });
addLies('C_GetTokenInfo', 'list tokens', 'garbage', 'right');
addLies('C_GetMechanismList', 'token information', 'long, huge, pretend');
addLies('C_GetMechanismList', 'token information', 'grow', 'bad-output', 10);
addLies('C_GetMechanismList', 'token information', 'times 2 grow', 'right', 10);
addLies('C_OpenSession', 'inventory', 'zero, pretend');
// Repeats a session number that is in use: a token that was unplugged also numbers its sessions from the start again.
addLies('C_OpenSession', 'inventory', 'repeat', { rv: 0x32 });
addLies('C_CloseSession', 'inventory', 'pretend', 'right');
addLies('C_GetSessionInfo', 'destroy a missing key', 'pretend, garbage, flip');
addLies('C_GetSessionInfo', 'reopen', 'pretend, garbage, flip');
addLies('C_Login', 'reopen', 'pretend', { rv: 0x101 });
addLies('C_FindObjectsInit', 'inventory', 'pretend', notBegun);
addLies('C_FindObjects', 'inventory', 'long, huge, zero, repeat');
// A key that the token has is not found. That the handle of another key can be read shows it.
addLies('C_FindObjects', 'inventory', 'no-objects, few 1');
addLies('C_FindObjects', 'destroy a missing key', 'no-objects, few 0');
addLies('C_FindObjects', 'read attributes', 'no-objects, few 0');
addLies('C_FindObjects', 'inventory', 'endless', 'bad-output', 4_000);
addLies('C_FindObjects', 'read attributes', 'long, huge, zero, repeat');
addLies('C_FindObjects', 'probe', 'long, huge, zero, repeat, wrong-handle');
addLies('C_FindObjects', 'probe', 'endless', [{ rv: 0x82 }, 'bad-output']);
addLies('C_FindObjects', 'destroy', 'long, huge, zero, repeat, wrong-handle');
addLies('C_FindObjects', 'destroy', 'endless', { rv: 0x82 });
// The handle is known from the key's making, and still reads as the key's.
addLies('C_FindObjects', 'destroy', 'no-objects');
addLies('C_FindObjectsFinal', 'read attributes twice', 'pretend', ['right', 'right']);
addLies('C_GetAttributeValue', 'read attributes', 'short, long, huge, garbage, unavailable, pretend');
addLies('C_GetAttributeValue', 'inventory', 'short, long, huge, garbage, unavailable, pretend');
addLies('C_GetAttributeValue', 'probe', 'short, long, huge, garbage, unavailable, pretend');
addLies('C_GetAttributeValue', 'make a key', 'short, long, huge, garbage, unavailable, pretend');
addLies('C_GenerateKey', 'make a key', 'zero, repeat, pretend', 'bad-output', 1);
addLies('C_GenerateKey', 'make a key for MACs', 'zero, repeat, pretend', 'bad-output', 1);
addLies('C_SignInit', 'make a MAC', 'pretend', notBegun, 8);
addLies('C_Sign', 'make a MAC', 'long, huge, pretend', 'bad-output', 8);
addLies('C_Sign', 'make a key for MACs', 'long, huge, pretend', 'bad-output', 8);
addLies('C_DestroyObject', 'destroy', 'pretend', 'bad-output', 1);
addLies('C_EncryptInit', 'encrypt', 'pretend', notBegun);
addLies('C_Encrypt', 'encrypt', 'short, short 16, long, huge, pretend, echo', 'bad-output', 1);
// Outputs of the right length with wrong content.
addLies('C_Encrypt', 'encrypt', 'flip, rotate, headless, tag-first', selfTestFailed, 3);
addLies('C_Encrypt', 'generate a data key', 'flip, rotate, headless, tag-first', selfTestFailed, 3);
addLies('C_Encrypt', 'encrypt twice', 'previous', selfTestFailed, 4);
addLies('C_Encrypt', 'make a key', 'flip, rotate, headless, tag-first', { functionName: 'C_Decrypt' }, 1);
addLies('C_Encrypt', 'make a key', 'short, long, huge, pretend', 'bad-output', 1);
addLies('C_DecryptInit', 'decrypt', 'pretend', notBegun, 8);
addLies('C_Decrypt', 'decrypt', 'short, short 63, short 64, long, long 16, huge, pretend, echo');
addLies('C_Decrypt', 'decrypt', 'flip, rotate, headless, tag-first', selfTestFailed, 12);
addLies('C_Decrypt', 'encrypt twice', 'previous', ['right', selfTestFailed], 14);
addLies('C_Decrypt', 'probe', 'no-tag', selfTestFailed, 2);
addLies('C_Decrypt', 'decrypt', 'no-tag', selfTestFailed, 2);
addLies('C_Decrypt', 'make a key', 'no-tag', selfTestFailed, 2);
addLies('C_DecryptInit', 'decrypt', 'no-context', selfTestFailed, 12);
addLies('C_Decrypt', 'probe', 'short, long, huge, pretend');
addLies('C_GenerateRandom', 'make a key', 'pretend');
addLies('C_GenerateRandom', 'random', 'pretend, repeat', ['bad-output']);
addLies('C_GenerateRandom', 'random', 'echo 4, echo 8, echo 12, echo 16, echo 20, echo 256');
addLies('C_GenerateRandom', 'short random', 'echo 4, echo 8, echo 12, echo 16');
addLies('C_GenerateRandom', 'make a key', 'echo 8, echo 16, echo 384');
addLies('C_GenerateRandom', 'random', 'limit 8, limit 100', 'right', 300);
addLies('C_GenerateRandom', 'make a key', 'limit 8, limit 767', 'right', 300);

beforeAll(async () => {
  hsm = createSoftHsm({ tokens: [{ label: 'alpha', userPin: '1234' }] });
  fault = putFaultsBefore(hsm);
  pool = addon.createPool(1000);
  await connect(pool, memberOptions(fault.module, 'alpha', { laneCount: 1 }), '1234');
  await makeKey(pool, 0, 'another');
  await renewKey();
  await renewMacKey();
});

async function renewMacKey(): Promise<void> {
  macKey = await makeMacKey(pool, 0);
  ({ value: mac } = await pool.mac(0, macKey.reference, zeroes, null, soon()));
}

async function renewKey(): Promise<void> {
  key = await makeKey(pool, 0);
  ({ nonce, ciphertext } = (await pool.encrypt(0, key.reference, zeroes, text('data'), soon())).value);
}

/** Restores the state before: a lie may leave a token that must be reopened, or a destroyed key. */
afterEach(async () => {
  fault.heal();
  await pool.reopenMember(0, soon());
  await pool.loginMember(0, text('1234'), soon(), null);
  // Gives the HSM other objects whose handles it can return.
  await pool.inventory(0, soon());
  if ((await pool.readAttributes(0, secretKeyClass, key.id, soon())).value.length === 0) await renewKey();
});

afterAll(async () => {
  expect(await pool.close(soon())).toBe(0);
  hsm.dispose();
});

async function outcomeOf(operation: Lie['operation']): Promise<unknown> {
  try {
    await operations[operation]();
    return 'right';
  } catch (error) {
    return error;
  }
}

describe('a function that says CKR_OK', () => {
  test.each(lies)('$functionName $lie: $operation', async ({ functionName, lie, operation, expected, mostCalls }) => {
    // Nothing is left that would need no call.
    if (functionName === 'C_GenerateRandom') await pool.loginMember(0, text('1234'), soon(), null);
    const before = fault.calls(functionName);
    fault.obey(`${functionName} ${lie}`);
    const outcome = await outcomeOf(operation);
    expect(fault.calls(functionName) - before).toBeGreaterThan(0);
    expect(fault.calls(functionName) - before).toBeLessThanOrEqual(mostCalls);
    if (outcome !== 'right') expect(outcome).toMatchObject({ callerFault: false, member: 0 });
    const matching: unknown[] = expected.map((each): unknown => {
      if (each === 'right') return each;
      return expect.objectContaining(each === 'bad-output' ? { kind: each, functionName } : each);
    });
    expect(matching).toContainEqual(outcome);
  });
});

describe('a token that does not check the whole ciphertext', () => {
  test('or leaves the additional data out of the tag is not trusted', async () => {
    fault.obey('C_EncryptInit no-context', 'C_DecryptInit no-context');
    await expect(makeKey(pool, 0)).rejects.toMatchObject(selfTestFailed);
  });

  test('is tested again after it was caught, and trusted once it checks everything', async () => {
    fault.obey('C_Decrypt no-tag');
    for (let tries = 0; tries < 2; tries += 1) await expect(operations.decrypt()).rejects.toMatchObject(selfTestFailed);
    fault.heal();
    await operations.decrypt();
  });

  test('is tested once per epoch', async () => {
    await operations.decrypt();
    const before = fault.calls('C_Decrypt');
    const other = await makeKey(pool, 0);
    await pool.probe(0, other.reference, soon());
    expect(fault.calls('C_Decrypt') - before).toBe(2);
  });
});

test('once the first ciphertexts of a key have decrypted, encryption costs no decryption', async () => {
  await operations['encrypt twice']();
  const before = fault.calls('C_Decrypt');
  for (let tries = 0; tries < 5; tries += 1) await pool.encrypt(0, key.reference, zeroes, text('data'), soon());
  expect(fault.calls('C_Decrypt')).toBe(before);
});

test('of three keys the one that encrypts wrongly is blamed, and the others work', async () => {
  const well = await makeKey(pool, 0);
  fault.obey(`C_Encrypt key ${Buffer.from(key.id).toString('hex')} rotate`);
  for (let tries = 0; tries < 2; tries += 1) {
    const encryption = pool.encrypt(0, key.reference, zeroes, text('data'), soon());
    await expect(encryption).rejects.toMatchObject({ kind: 'key-refused', functionName: 'C_Encrypt' });
    await pool.encrypt(0, well.reference, zeroes, text('data'), soon());
  }
});

test('one failed decryption while a ciphertext is checked blames neither key nor HSM', async () => {
  await pool.probe(0, key.reference, soon());
  for (const rv of [0x5, 0x30, 0x68, 0xb3]) {
    const fresh = await makeKey(pool, 0);
    const before = fault.counts('C_Decrypt').failed;
    fault.obey(`C_Decrypt times 1 rv ${rv}`);
    await pool.encrypt(0, fresh.reference, zeroes, text('data'), soon());
    expect([rv, fault.counts('C_Decrypt').failed - before]).toEqual([rv, 1]);
  }
});

test('a MAC that is not the expected one is no answer while the key does not give its canary either', async () => {
  await operations['make a MAC']();
  fault.obey('C_Sign flip');
  const verified = () => pool.mac(0, macKey.reference, zeroes, mac, soon());
  await expect(verified()).rejects.toMatchObject({ kind: 'handle-revoked', callerFault: false });
  fault.heal();
  expect((await verified()).value).toEqual(mac);
});

test('a lying search destroys only the requested objects', async () => {
  const neighbour = await makeKey(pool, 0, 'neighbour');
  fault.obey('C_FindObjects wrong-handle');
  await expect(pool.destroyKey(0, secretKeyClass, key.id, soon())).rejects.toMatchObject({ kind: 'bad-output' });
  fault.heal();
  for (const { id } of [neighbour, key])
    expect((await pool.readAttributes(0, secretKeyClass, id, soon())).value).toHaveLength(1);
});

test('a search that returns one handle at a time finds the second object too', async () => {
  const twice = await makeKey(pool, 0, 'twice');
  await plantKey(pool, 0, twice.id, 'twice');
  fault.obey('C_FindObjects short');
  expect((await pool.readAttributes(0, secretKeyClass, twice.id, soon())).value).toHaveLength(2);
  fault.heal();
  expect((await pool.destroyKey(0, secretKeyClass, twice.id, soon())).value).toBe(2);
});

test('an object that the token only claims to have destroyed does not count as destroyed', async () => {
  fault.obey('C_DestroyObject pretend\nC_FindObjects after 2 no-objects');
  await expect(pool.destroyKey(0, secretKeyClass, key.id, soon())).rejects.toMatchObject({
    kind: 'bad-output',
    functionName: 'C_DestroyObject',
  });
});

describe('a token whose serial number changes after it was found', () => {
  /** Two of the slots (one is empty), the information of the token that is found, one before `C_Login`. */
  test.each([2, 3])('and gave it %i times gets no PIN', async (answers) => {
    const logins = fault.calls('C_Login');
    fault.obey(`C_GetTokenInfo after ${answers} flip`);
    expect(await outcomeOf('reopen')).toMatchObject({ rv: 0x32, functionName: 'C_GetTokenInfo' });
    expect(fault.calls('C_Login')).toBe(logins);
  });
});

test('a nonce that the token puts in place of ours is refused if it repeats', async () => {
  fault.obey('C_EncryptInit garbage');
  const encrypt = () => pool.encrypt(0, key.reference, zeroes, text('data'), soon());
  const nonces: Uint8Array[] = [];
  for (let tries = 0; tries < 3; tries += 1) {
    await encrypt().then(
      ({ value }) => nonces.push(value.nonce),
      (error: unknown) => {
        expect(error).toMatchObject({ kind: 'bad-output', functionName: 'C_Encrypt' });
      },
    );
  }
  expect(nonces).toHaveLength(1);
});

describe('an RNG that repeats itself', () => {
  /** Nonces, data keys and random bytes, of every length in which a repetition shows. */
  const draws = {
    'encrypts under no nonce twice': async () => {
      const { value } = await pool.encrypt(0, key.reference, text('x'), text(''), soon());
      return [value.nonce];
    },
    'gives no data key twice': async () => {
      const { value } = await pool.generateDataKey(0, key.reference, 32, text(''), soon());
      return [value.nonce, value.plaintext];
    },
    'gives no 8 random bytes twice': async () => [(await pool.random(0, 8, soon())).value],
    'gives no kilobyte twice': async () => [(await pool.random(0, 1_024, soon())).value],
  };

  async function given(draw: () => Promise<Uint8Array[]>): Promise<string[] | undefined> {
    try {
      return (await draw()).map((bytes) => Buffer.from(bytes).toString('hex'));
    } catch (error) {
      expect(error).toMatchObject({ kind: 'bad-output', functionName: 'C_GenerateRandom' });
      return undefined;
    }
  }

  describe.each([1, 2, 7, 50])('with every draw number %i', (period) => {
    test.each(Object.entries(draws))('%s', async (_name, draw) => {
      fault.obey(`C_GenerateRandom repeat ${period}`);
      const all: string[] = [];
      let refused = 0;
      // A draw of nonces serves 64 encryptions.
      for (let tries = 0; tries < 64 * (period + 2); tries += 1) {
        const values = await given(draw);
        if (values === undefined) refused += 1;
        else all.push(...values);
      }
      expect(refused).toBeGreaterThan(0);
      expect(new Set(all).size).toBe(all.length);
    });
  });

  test('repeats no earlier value after it was reopened', async () => {
    fault.obey('C_GenerateRandom repeat 3');
    for (let draw = 0; draw < 3; draw += 1) await pool.random(0, 32, soon());
    await pool.reopenMember(0, soon());
    await pool.loginMember(0, text('1234'), soon(), null);
    await expect(pool.random(0, 32, soon())).rejects.toMatchObject({ kind: 'bad-output' });
  });
});

/** Called for cluster keys alone: lies about them are in `native/test/ceremony_fault_test.cc`, `key_wrapping_test.cc` and `trust.test.ts`. */
const forClusterKeys = [
  'C_CopyObject',
  'C_CreateObject',
  'C_GenerateKeyPair',
  'C_SetAttributeValue',
  'C_UnwrapKey',
  'C_Verify',
  'C_VerifyInit',
  'C_WrapKey',
];

/** Called in a process of its own: `test/e2e/pin-rotation.test.ts` lies about it. */
const forPins = ['C_SetPIN'];

test('every function that the addon calls has a row of lies', () => {
  const list = readFileSync(new URL('../../native/src/function.h', import.meta.url), 'utf8');
  const called = [...list.matchAll(/X\((C_\w+)\)/g)].map(([, name]) => name);
  expect(called.length).toBeGreaterThan(15);
  const lied = lies.map(({ functionName }) => functionName);
  expect([...new Set([...lied, ...forClusterKeys, ...forPins])].sort()).toEqual(called.sort());
});
