import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { secretKeyClass } from '../../src/hsm/material-cache.js';
import { createSoftHsm, type SoftHsm } from '../softhsm.js';
import {
  ceremonyMember,
  ceremonyMembers,
  clusterId,
  createHsms,
  logInAll,
  officerPin,
  runCeremony,
  userPin,
} from './ceremony-fixture.js';
import { type FaultHsm, putFaultsBefore } from './fault-hsm.js';
import { addon, failureOf, memberOptions, moduleOf, soon, text } from './fixture.js';
import type { PromisePool } from './promise-pool.js';

let hsms: SoftHsm[];
let first: SoftHsm;

beforeEach(() => {
  hsms = createHsms(2);
  first = hsms[0] ?? expect.fail();
});

afterEach(() => {
  for (const hsm of hsms) hsm.dispose();
});

const open = (generation = 1) => addon.openCeremony(clusterId, generation, ceremonyMembers(hsms), true);

const marksOf = (hsm: SoftHsm) => addon.readGenerations(ceremonyMember(hsm, 'any'), clusterId, soon());

/** Uses a member on which the user is logged in. */
async function withPool<T>(hsm: SoftHsm, use: (pool: PromisePool, member: number) => Promise<T>): Promise<T> {
  const pool = addon.createPool(10);
  const { member } = await pool.openMember(memberOptions(moduleOf(hsm), 'alpha'), soon());
  pool.setProfile(member, ceremonyMember(hsm, 'any').profile, 1);
  await pool.loginMember(member, text(userPin), soon(), null);
  try {
    return await use(pool, member);
  } finally {
    await pool.close(soon());
  }
}

const destroy = (hsm: SoftHsm, id: string) =>
  withPool(hsm, (pool, member) => pool.destroyKey(member, secretKeyClass, text(id), soon()));

describe('a ceremony', () => {
  test('gives three members the same generation, which its record names', async () => {
    hsms.push(...createHsms(1));
    const ceremony = await open();
    await logInAll(ceremony, hsms.length);
    const fingerprints = await ceremony.prepare(false);
    expect(fingerprints.map(({ member }) => member)).toEqual(['hsm-0', 'hsm-1', 'hsm-2']);
    expect(new Set(fingerprints.map(({ fingerprint }) => Buffer.from(fingerprint).toString('hex'))).size).toBe(3);
    for (const { fingerprint } of fingerprints) expect(fingerprint).toHaveLength(32);
    const { digest } = await ceremony.complete();
    expect(digest).toHaveLength(32);
    expect(await ceremony.close()).toBeNull();
    for (const [index, hsm] of hsms.entries()) {
      const { token, generations } = await marksOf(hsm);
      expect(token.serialNumber).toBe(fingerprints[index]?.serialNumber);
      expect(generations).toEqual([{ number: 1, digest, enforced: true }]);
    }
  });

  test('that is run again carries nothing, and has the same digest', async () => {
    const digest = await runCeremony(hsms, 1);
    const again = await open();
    await logInAll(again, hsms.length);
    expect(await again.prepare(false)).toEqual([]);
    expect(await again.complete()).toEqual({ digest, unmarked: [], complete: true });
    await again.close();
  });

  test('that was broken off is completed by the next one', async () => {
    const broken = await open();
    await logInAll(broken, hsms.length);
    await broken.prepare(false);
    await broken.close();
    expect((await marksOf(first)).generations).toEqual([]);
    const digest = await runCeremony(hsms, 1);
    expect((await marksOf(first)).generations).toEqual([{ number: 1, digest, enforced: true }]);
  });

  test('makes a second generation beside the first', async () => {
    const digests = [await runCeremony(hsms, 1), await runCeremony(hsms, 2)];
    expect(digests[0]).not.toEqual(digests[1]);
    const expected = digests.map((digest, index) => ({ number: index + 1, digest, enforced: true }));
    for (const hsm of hsms) expect((await marksOf(hsm)).generations).toEqual(expected);
  });
});

describe('a ceremony is refused', () => {
  test('with a wrong PIN of an officer, which is tried once', async () => {
    const fault = putFaultsBefore(first);
    const members = [{ ...ceremonyMember(first, 'one'), module: fault.module }];
    const ceremony = await addon.openCeremony(clusterId, 1, members, true);
    expect(await failureOf(ceremony.logIn(0, text('wrong-one')))).toMatchObject({
      functionName: 'C_Login',
      rv: 0xa0,
      member: 0,
    });
    expect(fault.counts('C_Login')).toMatchObject({ entered: 1 });
    await ceremony.close();
  });

  test('if two members are one token', async () => {
    const failure = await failureOf(addon.openCeremony(clusterId, 1, ceremonyMembers([first, first]), true));
    expect(failure).toMatchObject({ kind: 'token-missing' });
    expect(failure.message).toContain('hsm-1');
  });

  test('if a member is gone', async () => {
    hsms.push(createSoftHsm({ tokens: [] }));
    expect(await failureOf(open())).toMatchObject({ kind: 'token-missing', member: 2 });
  });

  test('without members, and for calls out of turn', async () => {
    expect(await failureOf(addon.openCeremony(clusterId, 1, [], true))).toMatchObject({ kind: 'token-missing' });
    const ceremony = await open();
    expect(await failureOf(ceremony.prepare(false))).toMatchObject({ kind: 'rv', rv: 0x91 });
    await logInAll(ceremony, hsms.length);
    expect(await failureOf(ceremony.complete())).toMatchObject({ kind: 'rv', rv: 0x91 });
    await ceremony.close();
    expect(await failureOf(ceremony.prepare(false))).toMatchObject({ kind: 'closed' });
    expect(await ceremony.close()).toBeNull();
  });

  test('if a key of a marked generation is missing', async () => {
    await runCeremony(hsms, 1);
    await destroy(first, `holdfast/${clusterId}/1/wraps-aes`);
    expect(await failureOf(runCeremony(hsms, 1))).toMatchObject({ kind: 'material-missing', member: 0 });
  });
});

describe('a call that hangs', () => {
  let fault: FaultHsm;
  beforeEach(() => {
    fault = putFaultsBefore(first);
  });
  afterEach(() => {
    fault.heal();
  });

  const hanging = async () => {
    const members = [{ ...ceremonyMember(first, 'one'), module: fault.module }];
    const ceremony = await addon.openCeremony(clusterId, 1, members, true);
    fault.obey('C_Login hang');
    return ceremony;
  };

  test('does not keep a ceremony from being closed', async () => {
    const ceremony = await hanging();
    const calls = [ceremony.logIn(0, text(officerPin)), ceremony.prepare(false)].map(failureOf);
    expect(await ceremony.close()).toBeNull();
    for (const failure of await Promise.all(calls)) expect(failure).toMatchObject({ kind: 'closed' });
  });

  test('does not keep the process from ending', () => {
    const script = fileURLToPath(new URL('ends-with-ceremony.mjs', import.meta.url));
    const addonPath = fileURLToPath(new URL('../../native/build/Release/holdfast.node', import.meta.url));
    fault.obey('C_Login hang');
    const member = { ...ceremonyMember(first, 'one'), module: fault.module };
    const job = JSON.stringify({ addon: addonPath, member, officerPin });
    const { status, signal } = spawnSync(process.execPath, [script, job], { timeout: 30_000 });
    expect({ status, signal }).toEqual({ status: 7, signal: null });
  });
});

describe("the pool's generations", () => {
  const generationsOf = (hsm: SoftHsm) =>
    withPool(hsm, async (pool, member) => (await pool.generations(member, clusterId, soon())).value);

  test('are those of the cluster that are marked and have their keys', async () => {
    expect(await generationsOf(first)).toEqual([]);
    const digests = [await runCeremony(hsms, 1), await runCeremony(hsms, 2)];
    expect(await generationsOf(first)).toEqual(
      digests.map((digest, index) => ({ number: index + 1, digest, enforced: true })),
    );
  });

  test('leave out one that has lost a key', async () => {
    await runCeremony(hsms, 1);
    await destroy(first, `holdfast/${clusterId}/1/backup-mac`);
    expect(await generationsOf(first)).toEqual([]);
    expect((await marksOf(first)).generations).toHaveLength(1);
  });
});
