import { existsSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PromisePool } from './promise-pool.js';
import { createSoftHsm, type SoftHsm } from '../softhsm.js';
import { addon, connect, failureOf, makeKey, memberOptions, moduleOf, soon, text } from './fixture.js';

let first: SoftHsm;
let second: SoftHsm;
let pool: PromisePool;

beforeEach(() => {
  first = createSoftHsm({ tokens: [{ label: 'alpha', userPin: '1234' }] });
  second = createSoftHsm({ tokens: [{ label: 'beta', userPin: 'secret-5678' }] });
  pool = addon.createPool(1000);
});

afterEach(async () => {
  expect(await pool.close(soon())).toBe(0);
  first.dispose();
  second.dispose();
});

describe('members', () => {
  test('two private instances serve two tokens in one process, in turn', async () => {
    const alpha = await connect(pool, memberOptions(moduleOf(first), 'alpha'), '1234');
    const beta = await connect(pool, memberOptions(moduleOf(second), 'beta'), 'secret-5678');
    const members: number[] = [];
    for (let i = 0; i < 6; i += 1) members.push((await pool.random(null, 8, soon())).member);
    expect(members).toEqual([alpha, beta, alpha, beta, alpha, beta]);
    const key = await makeKey(pool, alpha);
    expect(await failureOf(pool.probe(beta, key.reference, soon()))).toMatchObject({ kind: 'material-missing' });
    expect(process.env['SOFTHSM2_CONF']).toBeUndefined();
  });

  test('one member can be closed and opened again while the other works', async () => {
    const alpha = await connect(pool, memberOptions(moduleOf(first), 'alpha'), '1234');
    const beta = await connect(pool, memberOptions(moduleOf(second), 'beta'), 'secret-5678');
    const key = await makeKey(pool, alpha);
    const work = Promise.all(Array.from({ length: 200 }, () => pool.random(beta, 32, soon())));
    await pool.closeMember(alpha, soon());
    expect(await failureOf(pool.random(alpha, 8, soon()))).toMatchObject({ kind: 'closed', member: alpha });
    const again = await connect(pool, memberOptions(moduleOf(first), 'alpha'), '1234');
    expect(again).not.toBe(alpha);
    const encrypted = await pool.encrypt(again, key.reference, text('x'), text(''), soon());
    expect(encrypted.epoch).toBeGreaterThan(0);
    await work;
  });

  test('members of one shared instance share its login', async () => {
    const shared = memberOptions(moduleOf(first, { privateInstance: false }), 'alpha');
    const one = await connect(pool, shared, '1234');
    const two = await connect(pool, shared, '1234');
    await pool.closeMember(one, soon());
    expect((await makeKey(pool, two)).id).toHaveLength(32);
  });

  test('a wrong PIN is tried exactly once', async () => {
    const { member } = await pool.openMember(memberOptions(moduleOf(first), 'alpha'), soon());
    const failure = await failureOf(pool.loginMember(member, text('4321'), soon(), null));
    expect(failure).toMatchObject({ kind: 'rv', rv: 0xa0, functionName: 'C_Login', member });
    expect(failure.message).toContain('CKR_PIN_INCORRECT');
    expect(failure.message).not.toContain('4321');
    expect(pool.statistics()[0]).toMatchObject({ logins: 1, lanes: 0, admitted: false });
    pool.resume(member);
    expect(await failureOf(pool.random(null, 8, soon()))).toMatchObject({ kind: 'no-member' });
  });

  test('tokens are found by label or by serial number, and missing ones are named', async () => {
    const { token } = await pool.openMember(memberOptions(moduleOf(first), 'alpha'), soon());
    const bySerial = { tokenLabel: null, tokenSerialNumber: token.serialNumber };
    const found = await pool.openMember(memberOptions(moduleOf(first), '', bySerial), soon());
    expect(found.token.label).toBe('alpha');
    const failure = await failureOf(pool.openMember(memberOptions(moduleOf(first), 'gamma'), soon()));
    expect(failure).toMatchObject({ kind: 'token-missing' });
    expect(failure.message).toContain('gamma');
  });

  test('two tokens with one label are refused: none is chosen', async () => {
    first.addToken({ label: 'alpha', userPin: '1234' });
    const failure = await failureOf(pool.openMember(memberOptions(moduleOf(first), 'alpha'), soon()));
    expect(failure).toMatchObject({ kind: 'token-missing' });
    expect(failure.message).toContain('more than one');
  });

  test('a file that is not a library is refused with kind module', async () => {
    for (const libraryPath of ['/nowhere/lib.so', first.configPath, '/lib/x86_64-linux-gnu/libm.so.6']) {
      if (libraryPath.startsWith('/lib/') && !existsSync(libraryPath)) continue;
      for (const privateInstance of [true, false]) {
        const module = moduleOf(first, { libraryPath, privateInstance });
        expect(await failureOf(addon.listTokens(module, soon()))).toMatchObject({ kind: 'module', member: -1 });
      }
    }
  });

  test('a suspended member still does work posted to it by name', async () => {
    const alpha = await connect(pool, memberOptions(moduleOf(first), 'alpha'), '1234');
    const key = await makeKey(pool, alpha);
    pool.suspend(alpha);
    expect(pool.statistics()[0]?.admitted).toBe(false);
    expect(await failureOf(pool.random(null, 8, soon()))).toMatchObject({ kind: 'no-member' });
    expect((await pool.probe(alpha, key.reference, soon())).value).toBeNull();
    pool.resume(alpha);
    expect((await pool.random(null, 8, soon())).member).toBe(alpha);
  });
});
