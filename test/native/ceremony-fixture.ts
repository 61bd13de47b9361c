/** Three SoftHSM tokens for ceremonies, each an HSM of its own. */
import type { NativeCeremony, NativeCeremonyMember } from '../../src/hsm/native-ceremony.js';
import { nativeProfile } from '../../src/hsm/profiles/effective-profile.js';
import { softhsm } from '../../src/hsm/profiles/softhsm.js';
import { createSoftHsm, type SoftHsm } from '../softhsm.js';
import { addon, moduleOf, text } from './fixture.js';

export const officerPin = 'so-1234';
export const userPin = '1234';
export const clusterId = 'cluster-1234567890a';

/** So many HSMs with one token each. */
export const createHsms = (count: number): SoftHsm[] =>
  Array.from({ length: count }, () => createSoftHsm({ tokens: [{ label: 'alpha', userPin }] }));

/** The HSM as a member of a ceremony. */
export function ceremonyMember(hsm: SoftHsm, name: string): NativeCeremonyMember {
  const profile = nativeProfile(softhsm, []);
  return { name, module: moduleOf(hsm), tokenLabel: 'alpha', tokenSerialNumber: null, profile, maker: 'officer' };
}

export const ceremonyMembers = (hsms: readonly SoftHsm[]): NativeCeremonyMember[] =>
  hsms.map((hsm, index) => ceremonyMember(hsm, `hsm-${index}`));

/** Logs all officers in. */
export async function logInAll(ceremony: NativeCeremony, members: number): Promise<void> {
  for (let member = 0; member < members; member += 1) await ceremony.logIn(member, text(officerPin));
}

/** A whole ceremony; resolves with its digest. */
export async function runCeremony(hsms: readonly SoftHsm[], generation: number): Promise<Uint8Array> {
  const ceremony = await addon.openCeremony(clusterId, generation, ceremonyMembers(hsms), true);
  try {
    await logInAll(ceremony, hsms.length);
    await ceremony.prepare(false);
    return (await ceremony.complete()).digest;
  } finally {
    await ceremony.close();
  }
}
