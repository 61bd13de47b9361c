import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NativeAttackOutcome, NativeCeremonyMember } from '../../src/hsm/native-ceremony.js';
import { nativeProfile } from '../../src/hsm/profiles/effective-profile.js';
import { nss } from '../../src/hsm/profiles/nss.js';
import { createNssHsm, findNssLibrary, type NssHsm } from '../nss-hsm.js';
import type { SoftHsm } from '../softhsm.js';
import { ceremonyMember, clusterId, createHsms, runCeremony, userPin } from './ceremony-fixture.js';
import { putFaultsBefore } from './fault-hsm.js';
import { addon, failureOf, memberOptions, moduleOf, soon, text } from './fixture.js';

const check = (member: NativeCeremonyMember, pin: string | null, generation = 1) =>
  addon.checkTrust(member, clusterId, generation, pin === null ? null : text(pin), soon());

const succeeded = (outcomes: readonly NativeAttackOutcome[]) =>
  outcomes.filter(({ detail }) => detail === 'the attack succeeded').map(({ attack }) => attack);

const notHeld = (outcomes: readonly NativeAttackOutcome[]) => outcomes.filter(({ held }) => !held);

describe('on SoftHSM after a ceremony', () => {
  let hsm: SoftHsm;
  let member: NativeCeremonyMember;
  beforeAll(async () => {
    const [only = expect.fail()] = createHsms(1);
    hsm = only;
    member = ceremonyMember(hsm, 'one');
    await runCeremony([hsm], 1);
  });
  afterAll(() => {
    hsm.dispose();
  });

  const objects = async () => {
    const pool = addon.createPool(10);
    const opened = await pool.openMember(memberOptions(moduleOf(hsm), 'alpha'), soon());
    await pool.loginMember(opened.member, text(userPin), soon(), null);
    const entries = await pool.inventory(opened.member, soon());
    await pool.close(soon());
    return entries.length;
  };

  test.each([
    ['as the user', userPin],
    ['without a PIN', null],
  ])('every attack is refused %s, and nothing stays behind', async (_who, pin) => {
    const before = await objects();
    const outcomes = await check(member, pin);
    expect(notHeld(outcomes)).toEqual([]);
    const names = outcomes.map(({ attack }) => attack);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain('unwrap-as-readable-wraps-private-keys');
    expect(names.filter((name) => name.startsWith('unwrap-without-pin'))).toHaveLength(pin === null ? 3 : 0);
    for (const { rv, detail } of outcomes) if (rv !== 0) expect(detail).toContain('refused');
    expect(await objects()).toBe(before);
  });

  test('a generation without keys is not tried, and so does not hold', async () => {
    const outcomes = notHeld(await check(member, userPin, 2));
    expect(outcomes.map(({ attack }) => attack)).toContain('read-cluster-key-backup-mac');
    for (const { detail } of outcomes)
      expect(detail).toContain(`not tried: the token has no key holdfast/${clusterId}/2/`);
  });

  test('a wrong PIN is tried once', async () => {
    const fault = putFaultsBefore(hsm);
    const failure = await failureOf(check({ ...member, module: fault.module }, 'wrong'));
    expect(failure).toMatchObject({ functionName: 'C_Login', rv: 0xa0 });
    expect(fault.counts('C_Login').entered).toBe(1);
  });

  test('an error that is no refusal does not hold', async () => {
    const fault = putFaultsBefore(hsm, 'ill');
    fault.obey('C_SetAttributeValue rv 0x30');
    const outcomes = notHeld(await check({ ...member, module: fault.module }, userPin));
    expect(outcomes.map(({ attack }) => attack)).toContain('set-trusted');
    for (const { rv, detail } of outcomes) {
      expect(rv).toBe(0x30);
      expect(detail).toContain('not because a rule forbids it');
    }
  });

  test('a token that only pretends to obey has refused nothing', async () => {
    const fault = putFaultsBefore(hsm, 'liar');
    fault.obey('C_SetAttributeValue pretend', 'C_CopyObject pretend');
    const outcomes = await check({ ...member, module: fault.module }, userPin);
    const of = (name: string) => outcomes.find(({ attack }) => attack === name);
    expect(of('set-trusted')).toMatchObject({ held: true, rv: 0 });
    expect(of('copy-as-trusted-key')).toMatchObject({ held: false, rv: 0 });
    expect(of('copy-as-trusted-key')?.detail).toContain('the copy has no handle');
  });
});

const nssLibrary = findNssLibrary();

describe.skipIf(nssLibrary === undefined)('on NSS, which does not enforce trust', () => {
  let hsm: NssHsm;
  beforeAll(() => {
    hsm = createNssHsm(nssLibrary ?? expect.fail(), userPin);
  });
  afterAll(() => {
    hsm.dispose();
  });

  test('the attacks that succeed are named', async () => {
    const { libraryPath, environment, initializationString, tokenLabel } = hsm;
    const module = { libraryPath, environment, initializationString, privateInstance: false };
    const profile = nativeProfile(nss, []);
    const member = { name: 'nss', module, tokenLabel, tokenSerialNumber: null, profile, maker: 'user' } as const;
    const outcomes = await check(member, userPin);
    expect(succeeded(outcomes)).toEqual(
      expect.arrayContaining([
        'generate-trusted-key',
        'create-trusted-key',
        'unwrap-trusted-key',
        'wrap-under-own-key',
      ]),
    );
    expect(outcomes.find(({ attack }) => attack === 'read-key')).toMatchObject({ held: true });
  });
});
