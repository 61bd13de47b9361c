/** The claims of NSS's profile, tested on NSS itself. */
import { expect, test } from 'vitest';
import { nativeProfile } from '../../src/hsm/profiles/effective-profile.js';
import { detectProfile, vendorProfiles } from '../../src/hsm/profiles/profiles.js';
import { createNssHsm, findNssLibrary } from '../nss-hsm.js';
import { addon, failureOf, makeKey, memberOptions, soon, text } from './fixture.js';

const library = findNssLibrary();
const pin = '1234567';

test.skipIf(library === undefined)('NSS is recognised, and is as its profile says', async () => {
  const hsm = createNssHsm(library ?? '', pin);
  const { libraryPath, environment, initializationString, tokenLabel } = hsm;
  const pool = addon.createPool(1_000);
  try {
    const module = { libraryPath, privateInstance: false, environment, initializationString };
    const { member, token } = await pool.openMember(memberOptions(module, tokenLabel), soon());
    const profile = detectProfile(token);
    expect(profile).toBe(vendorProfiles.nss);
    expect(token.mechanisms).toEqual(expect.arrayContaining([...profile.keyWrapWithPaddingMechanisms.value]));
    expect(token).toMatchObject({ maxSessionCount: null, maxRwSessionCount: null });
    pool.setProfile(member, nativeProfile(profile, token.mechanisms), profile.recommendedLanes.value);
    await pool.loginMember(member, text(pin), soon(), null);
    pool.resume(member);
    const key = await makeKey(pool, member);
    for (const length of [1, 65_536]) {
      const { value } = await pool.encrypt(null, key.reference, new Uint8Array(length), text('aad'), soon());
      const opened = await pool.decrypt(null, key.reference, value.nonce, value.ciphertext, text('aad'), soon());
      expect(opened.value).toEqual(new Uint8Array(length));
      const wrong = value.ciphertext.map((byte, index) => (index === 0 ? byte ^ 1 : byte));
      const failure = await failureOf(pool.decrypt(null, key.reference, value.nonce, wrong, text('aad'), soon()));
      expect(failure).toMatchObject({ rv: 0x40, callerFault: true });
    }
  } finally {
    expect(await pool.close(soon())).toBe(0);
    hsm.dispose();
  }
});
