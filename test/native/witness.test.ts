import { afterEach, expect, test } from 'vitest';
import type { NativeWitness } from '../../src/hsm/native-witness.js';
import { nativeProfile } from '../../src/hsm/profiles/effective-profile.js';
import { vendorProfiles } from '../../src/hsm/profiles/profiles.js';
import { createNssHsm, findNssLibrary } from '../nss-hsm.js';
import { createSoftHsm } from '../softhsm.js';
import { addon, connect, memberOptions, moduleOf, soon, text } from './fixture.js';
import type { PromisePool } from './promise-pool.js';

/** The same on each make of token, in whatever form it keeps witnesses. */

const clusterId = 'cluster-1a2b3c4d5e6';
const library = findNssLibrary();
const userPin = '1234567';

const witness = (epoch: number): NativeWitness => ({
  incarnation: new Uint8Array(16).fill(7),
  epoch,
  writtenMs: 1_700_000_000_123,
  deployment: 'aws:eu-central-1:111122223333',
});

const disposals: (() => void)[] = [];
afterEach(() => {
  for (const dispose of disposals.splice(0)) dispose();
});

async function replaces(pool: PromisePool, member: number): Promise<void> {
  expect((await pool.witnesses(member, clusterId, soon())).value).toEqual([]);
  for (const epoch of [1, 2, 2 ** 48]) await pool.writeWitness(member, clusterId, witness(epoch), soon());
  expect((await pool.witnesses(member, clusterId, soon())).value).toEqual([witness(2 ** 48)]);
  expect((await pool.witnesses(member, 'cluster-other', soon())).value).toEqual([]);
  expect(await pool.close(soon())).toBe(0);
}

test('SoftHSM keeps one witness, as a data object', async () => {
  const hsm = createSoftHsm({ tokens: [{ label: 'alpha', userPin }] });
  disposals.push(() => hsm.dispose());
  const pool = addon.createPool(1_000);
  await replaces(pool, await connect(pool, memberOptions(moduleOf(hsm), 'alpha'), userPin));
});

test.skipIf(library === undefined)('NSS keeps one witness, as a public key', async () => {
  const hsm = createNssHsm(library ?? '', userPin);
  disposals.push(() => hsm.dispose());
  const { libraryPath, environment, initializationString, tokenLabel } = hsm;
  const module = { libraryPath, privateInstance: false, environment, initializationString };
  const pool = addon.createPool(1_000);
  const { member, token } = await pool.openMember(memberOptions(module, tokenLabel), soon());
  const profile = vendorProfiles.nss;
  pool.setProfile(member, nativeProfile(profile, token.mechanisms), profile.recommendedLanes.value);
  await pool.loginMember(member, text(userPin), soon(), null);
  pool.resume(member);
  await replaces(pool, member);
});
