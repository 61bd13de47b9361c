import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { PromisePool } from './promise-pool.js';
import { createSoftHsm, type SoftHsm } from '../softhsm.js';
import { type FaultHsm, faultSettings, putFaultsBefore, removalKinds } from './fault-hsm.js';
import { addon, connect, failureOf, inMilliseconds, makeKey, memberOptions, soon, text } from './fixture.js';

/**
 * Checks that TypeScript speaks the module's language, which the C++ tests of the module
 * (native/test/fault_module*_test.cc) cannot.
 */

let hsm: SoftHsm;
let fault: FaultHsm;
let pool: PromisePool;
let member: number;

beforeEach(async () => {
  hsm = createSoftHsm({ tokens: [{ label: 'alpha', userPin: '1234' }] });
  fault = putFaultsBefore(hsm);
  pool = addon.createPool(1000);
  member = await connect(pool, memberOptions(fault.module, 'alpha'), '1234');
});

afterEach(async () => {
  fault.heal();
  await pool.close(soon());
  hsm.dispose();
});

function enumerators(file: string, name: string): string[] {
  const source = readFileSync(new URL(`../fault-hsm/${file}`, import.meta.url), 'utf8');
  const body = new RegExp(`enum (?:class )?${name} : \\w+ \\{(.*?)\\};`, 's').exec(source)?.[1] ?? '';
  return [...body.matchAll(/^ {2}k(\w+)/gm)].map(([, word = '']) => word);
}

test('settings and ways to be away have the same numbers on both sides', () => {
  const lowerFirst = (word: string) => word.charAt(0).toLowerCase() + word.slice(1);
  const settings = enumerators('control_page.h', 'Setting').map(lowerFirst);
  expect(settings).toEqual([...faultSettings, 'settingCount']);
  const removals = enumerators('device.h', 'Removal').map((word) => word.toLowerCase());
  expect(removals).toEqual(['present', ...removalKinds.map((kind) => kind.replace('-', ''))]);
});

test('counts, failures, sessions and the trace can be read', async () => {
  const before = fault.counts('C_GenerateRandom');
  fault.obey('C_GenerateRandom times 1 rv 0x30');
  const startMs = inMilliseconds(0);
  await failureOf(pool.random(member, 8, soon()));
  await pool.random(member, 8, soon());
  const { entered, returned, failed } = fault.counts('C_GenerateRandom');
  expect([entered - before.entered, returned - before.returned, failed - before.failed]).toEqual([2, 2, 1]);
  expect(fault.calls('C_Login')).toBe(1);
  expect(fault.sessions()).toBe(3);
  const calls = fault.trace().filter(({ functionName, number }) => functionName === 'C_GenerateRandom' && number > 0);
  expect(calls.slice(-2).map(({ rv, processId }) => [rv, processId])).toEqual([
    [0x30, process.pid],
    [0, process.pid],
  ]);
  for (const call of calls.slice(-2)) {
    expect(call.startMs).toBeGreaterThanOrEqual(startMs);
    expect(call.endMs).toBeLessThan(inMilliseconds(0));
  }
});

test('a hanging call is seen inside, and continues when it is released', async () => {
  fault.obey('C_GenerateRandom hang');
  const call = pool.random(member, 8, soon());
  while (fault.inside('C_GenerateRandom') === 0) await new Promise((resolve) => setImmediate(resolve));
  fault.release();
  expect((await call).value).toHaveLength(8);
  expect(fault.inside('C_GenerateRandom')).toBe(0);
});

test.each(removalKinds)('a device that is away (%s) can be opened again when it is back', async (kind) => {
  const key = await makeKey(pool, member);
  fault.remove(kind);
  await failureOf(pool.probe(member, key.reference, soon()));
  fault.restore();
  await pool.closeMember(member, soon());
  member = await connect(pool, memberOptions(fault.module, 'alpha'), '1234');
  expect((await pool.encrypt(member, key.reference, text('x'), text(''), soon())).member).toBe(member);
});

test('after renumbering, no operation with a proved handle reaches the other key unnoticed', async () => {
  const key = await makeKey(pool, member);
  const other = await makeKey(pool, member);
  for (const { reference } of [key, other]) await pool.probe(member, reference, soon());
  const { value } = await pool.encrypt(member, key.reference, text('x'), text(''), soon());
  fault.renumberObjects();
  const finds = fault.calls('C_FindObjectsInit');
  const decrypted = await pool.decrypt(member, key.reference, value.nonce, value.ciphertext, text(''), soon());
  // The handle names the other key now, which looks like a wrong tag: the canary reveals it, and the key is found anew.
  expect(Buffer.from(decrypted.value).toString()).toBe('x');
  expect(fault.calls('C_FindObjectsInit')).toBe(finds + 1);
});
