import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PromisePool } from './promise-pool.js';
import { createSoftHsm, type SoftHsm } from '../softhsm.js';
import { type FaultHsm, putFaultsBefore } from './fault-hsm.js';
import {
  addon,
  connect,
  failureOf,
  inMilliseconds,
  makeKey,
  memberOptions,
  moduleOf,
  plantKey,
  soon,
  text,
  type TestKey,
} from './fixture.js';

let hsm: SoftHsm;
let fault: FaultHsm;
let pool: PromisePool;
let member: number;
let key: TestKey;

const encrypt = (deadline = soon()) => pool.encrypt(member, key.reference, text('x'), text(''), deadline);
const statistics = () => pool.statistics().find((row) => row.member === member);

async function until(condition: () => boolean): Promise<void> {
  const end = inMilliseconds(5_000);
  while (!condition()) {
    if (inMilliseconds(0) > end) throw new Error('the condition was not met in time');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

beforeEach(async () => {
  hsm = createSoftHsm({ tokens: [{ label: 'alpha', userPin: '1234' }] });
  fault = putFaultsBefore(hsm);
  pool = addon.createPool(100);
  member = await connect(pool, memberOptions(fault.module, 'alpha'), '1234');
  key = await makeKey(pool, member);
  await useKey();
});

/** Uses up the first two ciphertexts, which are decrypted as a check. */
async function useKey(): Promise<void> {
  await pool.probe(member, key.reference, soon());
  for (let time = 0; time < 2; time += 1) await encrypt();
}

afterEach(async () => {
  fault.heal();
  expect(await pool.close(soon())).toBe(0);
  hsm.dispose();
});

describe('a call that hangs', () => {
  test('is answered at its deadline, its lane is replaced, its late result is discarded', async () => {
    fault.obey('C_Encrypt hang');
    const started = inMilliseconds(0);
    const failure = await failureOf(encrypt(inMilliseconds(150)));
    expect(failure).toMatchObject({ kind: 'lane-deadline', rv: 0, member });
    expect(inMilliseconds(0) - started).toBeLessThan(400);
    await until(() => statistics()?.lanes === 2);
    expect(statistics()).toMatchObject({ quarantinedLanes: 1, running: 0, lanes: 2 });
    // The same member continues with everything that does not hang.
    expect((await pool.random(member, 8, soon())).value).toHaveLength(8);
    fault.heal();
    await until(() => statistics()?.quarantinedLanes === 0);
    expect((await encrypt()).value.ciphertext).toHaveLength(17);
    expect(statistics()).toMatchObject({ lanes: 2, running: 0, queued: 0 });
  });

  test('does not hold up another member', async () => {
    const other = await connect(pool, memberOptions(moduleOf(hsm), 'alpha'), '1234');
    fault.obey('C_Encrypt hang');
    const hung = [1, 2, 3, 4].map(() => failureOf(encrypt(inMilliseconds(200))));
    pool.suspend(member);
    const results = await Promise.all(
      Array.from({ length: 50 }, () => pool.encrypt(null, key.reference, text('x'), text(''), soon())),
    );
    expect(results.every((result) => result.member === other)).toBe(true);
    const kinds = (await Promise.all(hung)).map(({ kind }) => kind);
    // The last calls may find the member stopped, if a third lane hangs before their deadline is noticed.
    expect(kinds).toContain('lane-deadline');
    for (const kind of kinds) expect(['lane-deadline', 'queue-deadline', 'no-member']).toContain(kind);
  });

  test('too many hanging calls stop the member, until they return', async () => {
    fault.obey('C_Encrypt hang');
    for (const round of [1, 2, 3]) {
      expect(await failureOf(encrypt(inMilliseconds(100)))).toMatchObject({ kind: 'lane-deadline' });
      expect(statistics()?.quarantinedLanes).toBe(round);
    }
    expect(await failureOf(encrypt())).toMatchObject({ kind: 'no-member' });
    expect(await failureOf(pool.random(null, 8, soon()))).toMatchObject({ kind: 'no-member' });
    expect(statistics()?.admitted).toBe(false);
    fault.heal();
    await until(() => statistics()?.quarantinedLanes === 0 && statistics()?.lanes === 2);
    expect((await encrypt()).value.ciphertext).toHaveLength(17);
  });

  test.each(['C_OpenSession', 'C_FindObjectsInit', 'C_GetTokenInfo'])(
    'in %s: control calls answer too',
    async (name) => {
      fault.obey(`${name} hang`);
      const deadline = inMilliseconds(150);
      const call = name === 'C_GetTokenInfo' ? pool.tokenInfo(member, deadline) : pool.inventory(member, deadline);
      expect(await failureOf(call)).toMatchObject({ kind: 'lane-deadline', member });
      fault.heal();
      expect((await encrypt()).member).toBe(member);
    },
  );

  test('in C_Login or C_Initialize: the member is refused by the deadline', async () => {
    const second = putFaultsBefore(hsm, 'second');
    second.obey('C_Initialize hang');
    const options = memberOptions(second.module, 'alpha');
    expect(await failureOf(pool.openMember(options, inMilliseconds(150)))).toMatchObject({ kind: 'lane-deadline' });
    second.heal();
    const opened = await pool.openMember(options, soon());
    second.obey('C_Login hang');
    const login = pool.loginMember(opened.member, text('1234'), inMilliseconds(150), null);
    expect(await failureOf(login)).toMatchObject({ kind: 'lane-deadline', member: opened.member });
    second.heal();
    // The hung C_Login succeeded meanwhile: this process did log in, so a second one is a success.
    expect((await pool.loginMember(opened.member, text('1234'), soon(), null)).epoch).toBeGreaterThan(0);
  });

  test('in the first C_OpenSession of a lane: it is quarantined, and others open', async () => {
    const growing = addon.createPool(1_000);
    const third = putFaultsBefore(hsm, 'third');
    growing.setOperationTimeout(100, () => undefined);
    const index = await connect(growing, memberOptions(third.module, 'alpha', { laneCount: 3 }), '1234');
    third.obey('C_OpenSession times 1 hang', 'latency C_GenerateRandom 30');
    const work = Promise.all(Array.from({ length: 60 }, () => growing.random(null, 8, soon())));
    const row = () => growing.statistics().find(({ member: each }) => each === index);
    await until(() => row()?.quarantinedLanes === 1 && row()?.lanes === 3);
    expect(row()?.admitted).toBe(true);
    expect(await work).toHaveLength(60);
    third.heal();
    await until(() => row()?.quarantinedLanes === 0);
    expect(await growing.close(soon())).toBe(0);
  });

  test('closing counts the lanes that hang and answers by its deadline', async () => {
    const hung = addon.createPool(10);
    const third = putFaultsBefore(hsm, 'third');
    const index = await connect(hung, memberOptions(third.module, 'alpha'), '1234');
    third.obey('C_Encrypt hang');
    const late = hung.encrypt(index, key.reference, text('x'), text(''), inMilliseconds(5_000));
    const outcome = late.catch(() => undefined);
    await until(() => hung.statistics()[0]?.running === 1 && third.calls('C_Encrypt') === 1);
    expect(await hung.close(inMilliseconds(200))).toBe(1);
    third.heal();
    await outcome;
  });
});

describe('an HSM that fails', () => {
  test('its answer to a decryption is its own fault, not the caller’s', async () => {
    const { value } = await encrypt();
    fault.obey('C_Decrypt rv 0x30');
    const decryption = pool.decrypt(member, key.reference, value.nonce, value.ciphertext, text(''), soon());
    const failure = await failureOf(decryption);
    expect(failure).toMatchObject({
      kind: 'self-test-failed',
      rv: 0x30,
      functionName: 'C_Decrypt',
      callerFault: false,
    });
  });

  const decryptGood = async (): Promise<unknown> => {
    const { value } = await encrypt();
    return pool.decrypt(member, key.reference, value.nonce, value.ciphertext, text(''), soon());
  };

  /** The faults of one key alone. */
  const ofKey = (): string => `key ${Buffer.from(key.id).toString('hex')}`;

  test('a general error that the canary gets too is not a bad ciphertext', async () => {
    fault.obey(`C_Decrypt ${ofKey()} rv 0x5`);
    expect(await failureOf(decryptGood())).toMatchObject({ kind: 'canary-failed', callerFault: false });
  });

  test.each([2, 3, 4])('an error that passes after %d occurrences blames neither key nor ciphertext', async (times) => {
    fault.obey(`C_Decrypt times ${times} rv 0x5`);
    await decryptGood();
  });

  test.each([1, 2, 3, 4])(
    'an error that occurs %d times while a first ciphertext is checked blames neither key nor ciphertext',
    async (times) => {
      key = await makeKey(pool, member);
      fault.obey(`C_Decrypt times ${times} rv 0x5`);
      const encrypted = fault.calls('C_Encrypt');
      const { value } = await encrypt();
      // The HSM's self-test, with a key of its own, encrypts twice.
      expect(fault.calls('C_Encrypt') - encrypted).toBeLessThanOrEqual(3);
      await pool.decrypt(member, key.reference, value.nonce, value.ciphertext, text(''), soon());
    },
  );

  test('a session lost while a first ciphertext is checked causes no further encryption', async () => {
    key = await makeKey(pool, member);
    fault.obey('C_DecryptInit times 1 lose-sessions');
    const encrypted = fault.calls('C_Encrypt');
    expect(await failureOf(encrypt())).toMatchObject({ kind: 'handle-revoked' });
    expect(fault.calls('C_Encrypt')).toBe(encrypted + 1);
    await encrypt();
  });

  test('the key is not blamed if the HSM decrypts nothing, not even its own new ciphertext', async () => {
    const made = fault.calls('C_GenerateKey');
    fault.obey('C_Decrypt rv 0x5');
    expect(await failureOf(decryptGood())).toMatchObject({ kind: 'self-test-failed', rv: 5, callerFault: false });
    expect(fault.calls('C_GenerateKey')).toBe(made + 1);
    expect(fault.counts('C_DestroyObject')).toMatchObject({ failed: 0 });
    fault.heal();
    await decryptGood();
  });

  test.each(['C_DecryptInit', 'C_EncryptInit'])(
    'for a second the pool remembers that the HSM works with other keys: repeated failures of %s cause neither session keys nor searches',
    async (name) => {
      const counts = () => fault.calls('C_GenerateKey') + fault.calls('C_FindObjectsInit');
      const { value } = await encrypt();
      fault.obey(`${name} ${ofKey()} rv 0x68`);
      const before = counts();
      const attempt = () =>
        name === 'C_EncryptInit'
          ? encrypt()
          : pool.decrypt(member, key.reference, value.nonce, value.ciphertext, text(''), soon());
      for (let time = 0; time < 10; time += 1) {
        expect(await failureOf(attempt())).toMatchObject({ kind: 'key-refused', rv: 0x68, functionName: name });
      }
      expect(counts() - before).toBeLessThan(10);
      fault.heal();
      await attempt();
    },
  );

  test.each([
    ['makes no session keys', 'C_GenerateKey rv 0x70'],
    ['refuses to encrypt under one', 'C_Encrypt rv 0x71'],
  ])('if it %s the key is blamed', async (_case, refusal) => {
    const { value } = await encrypt();
    fault.obey('C_Decrypt rv 0x5', refusal);
    const decryption = pool.decrypt(member, key.reference, value.nonce, value.ciphertext, text(''), soon());
    expect(await failureOf(decryption)).toMatchObject({ kind: 'canary-failed' });
  });

  test('if the HSM is lost during that test, the loss is reported, and the key is not blamed', async () => {
    fault.obey('C_Decrypt rv 0x5', 'C_GenerateKey rv 0x30');
    expect(await failureOf(decryptGood())).toMatchObject({ kind: 'rv', rv: 0x30, functionName: 'C_GenerateKey' });
  });

  test('a session that is lost during the self-test is opened anew', async () => {
    fault.obey('C_Decrypt times 2 rv 0x5', 'C_Decrypt times 1 rv 0xb3');
    await decryptGood();
  });

  test('a session that opens after the others were lost trusts no handle, even before the loss is noticed', async () => {
    await encrypt();
    const canaries = fault.calls('C_DecryptInit');
    await encrypt();
    expect(fault.calls('C_DecryptInit')).toBe(canaries);
    fault.obey('C_Encrypt times 2 hang');
    const hanging = [1, 2].map(() => failureOf(encrypt(inMilliseconds(300))));
    await until(() => fault.inside('C_Encrypt') === 2);
    fault.loseSessions();
    await Promise.all(hanging);
    await until(() => statistics()?.lanes === 2);
    pool.resume(member);
    await encrypt();
    // The canary, and the ciphertext.
    expect(fault.calls('C_DecryptInit')).toBe(canaries + 2);
  });

  test('an operation that loses its session starts over in a new one, unless it was in C_Encrypt', async () => {
    const sessions = fault.calls('C_OpenSession');
    fault.loseSessions();
    await encrypt();
    // The lane's session, and the one that keeps the login.
    expect(fault.calls('C_OpenSession')).toBe(sessions + 2);
    const encrypted = fault.calls('C_Encrypt');
    fault.obey('C_Encrypt times 1 rv 0xb3');
    expect(await failureOf(encrypt())).toMatchObject({ rv: 0xb3, functionName: 'C_Encrypt' });
    // The others are the HSM's self-test, with a key of its own.
    expect(fault.calls('C_Encrypt')).toBe(encrypted + 3);
  });

  test('lost sessions, and one changed after that, cost no login: another session keeps it', async () => {
    const single = putFaultsBefore(hsm, 'single');
    const options = memberOptions(single.module, 'alpha', { laneCount: 1 });
    const index = await connect(pool, options, '1234');
    const encryptThere = () => pool.encrypt(index, key.reference, text('x'), text(''), soon());
    await encryptThere();
    single.loseSessions();
    await encryptThere();
    for (let time = 0; time < 2; time += 1) {
      single.obey('C_GenerateKey rv 0x5');
      expect(await failureOf(makeKey(pool, index))).toMatchObject({ rv: 0x5, functionName: 'C_GenerateKey' });
      await encryptThere();
    }
    expect(single.calls('C_Login')).toBe(1);
    // The lane's session, and the one that keeps the login.
    expect(single.sessions()).toBe(2);
  });

  test('a session is not lost because an answer says so', async () => {
    const sessions = fault.calls('C_OpenSession');
    fault.obey('C_EncryptInit times 1 rv 0xb3');
    await encrypt();
    expect(fault.calls('C_OpenSession')).toBe(sessions);
  });

  test('an operation that must not be repeated is not, even if its session was lost', async () => {
    const made = fault.calls('C_GenerateKey');
    fault.obey('C_GenerateKey times 1 rv 0xb3');
    const generated = plantKey(pool, member, Buffer.alloc(32, 9), 'never made');
    expect(await failureOf(generated)).toMatchObject({ rv: 0xb3, functionName: 'C_GenerateKey' });
    expect(fault.calls('C_GenerateKey')).toBe(made + 1);
  });

  test('a lost session is opened again, and a stale handle is proved again', async () => {
    fault.obey('C_EncryptInit rv 0xb3');
    expect(await failureOf(encrypt())).toMatchObject({ rv: 0xb3, functionName: 'C_EncryptInit' });
    const sessions = fault.calls('C_OpenSession');
    fault.heal();
    // Either lane may take the next one: continue until the poisoned one had its turn.
    for (let i = 0; i < 50 && fault.calls('C_OpenSession') === sessions; i += 1)
      await Promise.all([encrypt(), encrypt()]);
    await Promise.all([encrypt(), encrypt()]);
    expect(fault.calls('C_OpenSession')).toBe(sessions + 1);
    const finds = fault.calls('C_FindObjectsInit');
    fault.obey('C_EncryptInit times 1 stale-handle');
    await encrypt();
    expect(fault.calls('C_FindObjectsInit')).toBe(finds + 1);
  });

  test.each([
    ['a general error', () => fault.obey('C_EncryptInit times 4 rv 0x5')],
    ['lost sessions', () => fault.loseSessions()],
  ])('%s causes no search for a key: handles from the inventory are proved', async (_what, happens) => {
    const others = [await makeKey(pool, member), await makeKey(pool, member)];
    await pool.inventory(member, soon());
    const useAll = () =>
      Promise.all(
        [key, ...others].map(({ reference }) => pool.encrypt(member, reference, text('x'), text(''), soon())),
      );
    await useAll();
    const finds = fault.calls('C_FindObjectsInit');
    happens();
    await encrypt().catch(() => undefined);
    fault.heal();
    await useAll();
    expect(fault.calls('C_FindObjectsInit')).toBe(finds);
  });

  test.each([0x5, 0x13, 0x60, 0x82])(
    'an inventory that can read no object (code %i) is the HSM’s failure',
    async (rv) => {
      fault.obey(`C_GetAttributeValue rv ${rv}`);
      const inventory = pool.inventory(member, soon());
      expect(await failureOf(inventory)).toMatchObject({ kind: 'rv', rv, functionName: 'C_GetAttributeValue' });
    },
  );

  test('an inventory leaves out the one object that it cannot read, because its making was never completed', async () => {
    fault.obey(`C_GetAttributeValue ${ofKey()} rv 0x5`);
    expect(await pool.inventory(member, soon())).toEqual([]);
  });

  test.each(['C_GetAttributeValue', 'C_FindObjectsInit', 'C_FindObjects'])(
    '%s failing for every key is the HSM’s failure; failing for one key it never is',
    async (name) => {
      const other = await makeKey(pool, member);
      fault.obey(`${name} rv 0x5`);
      expect(await failureOf(pool.probe(member, key.reference, soon()))).toMatchObject({
        kind: 'look-up-failed',
        rv: 0x5,
        functionName: name,
      });
      // Keys that are already proved remain usable.
      await pool.encrypt(member, other.reference, text('x'), text(''), soon());
      fault.obey(`${name} ${ofKey()} rv 0x5`);
      const failure = await failureOf(pool.probe(member, key.reference, soon()));
      expect([failure.kind, failure.hsmCleared]).toEqual(
        name === 'C_GetAttributeValue' ? ['key-refused', false] : ['rv', true],
      );
    },
  );

  test('a locked PIN is reported as such, after one try', async () => {
    const locked = putFaultsBefore(hsm, 'locked');
    locked.obey('C_Login rv 0xa4');
    const opened = await pool.openMember(memberOptions(locked.module, 'alpha'), soon());
    const failure = await failureOf(pool.loginMember(opened.member, text('1234'), soon(), null));
    expect(failure).toMatchObject({ kind: 'rv', rv: 0xa4, functionName: 'C_Login', member: opened.member });
    expect(locked.calls('C_Login')).toBe(1);
  });

  test('nothing found on a token that does not answer is not "missing"', async () => {
    const absent = addon.createMaterial({ ...key.material, id: new Uint8Array(32) });
    fault.obey('C_GetTokenInfo rv 0x5');
    const failure = await failureOf(pool.probe(member, absent, soon()));
    expect(failure).toMatchObject({ kind: 'rv', rv: 0x32, functionName: 'C_GetTokenInfo' });
  });

  test('a token that does not answer for a moment, while another process logs in, is not taken for removed', async () => {
    const absent = addon.createMaterial({ ...key.material, id: new Uint8Array(32) });
    fault.obey('C_GetTokenInfo times 3 rv 0x5');
    expect(await failureOf(pool.probe(member, absent, soon()))).toMatchObject({ kind: 'material-missing' });
  });
});
