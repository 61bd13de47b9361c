import { expect, test } from 'vitest';
import { automaticProfile, effectiveProfile, nativeProfile } from './effective-profile.js';
import { vendorProfiles } from './profiles.js';

const cloudhsm = { libraryManufacturer: 'AWS CloudHSM', libraryDescription: '', manufacturer: '', model: '' };

test('a module is recognised, and its profile is used unchanged', () => {
  expect(effectiveProfile(automaticProfile, cloudhsm)).toEqual(vendorProfiles.cloudhsm);
});

test('a named profile is used without recognition', () => {
  expect(effectiveProfile({ ...automaticProfile, profile: 'luna' }, cloudhsm)).toEqual(vendorProfiles.luna);
});

test('single values are overridden, and say so', () => {
  const overrides = {
    gcmNonce: 'token-rng',
    maximumGcmBytes: 4_096,
    sessionHeadroom: 3,
    maximumSessions: 10,
    ceremony: 'so-made',
    generationMark: 'public-key',
    generatedPin: { alphabet: '0123456789', length: 16 },
  } as const;
  const profile = effectiveProfile({ profile: 'auto', ...overrides }, cloudhsm);
  for (const [field, value] of Object.entries(overrides)) {
    expect(profile[field as keyof typeof overrides], field).toEqual({ value, source: 'the configuration' });
  }
  expect(profile.pinFormat).toBe(vendorProfiles.cloudhsm.pinFormat);
});

test('the addon gets the values that it needs', () => {
  expect(nativeProfile(vendorProfiles.cloudhsm, [])).toEqual({
    tokenMakesNonces: true,
    knowsCopyable: true,
    maximumGcmBytes: 16_224,
    keyWrapWithPadding: 0x8000_216f,
    oaepHash: 0x250,
    oaepMask: 2,
    clusterKeysArePrivate: true,
    knowsAllowedMechanisms: true,
    reportsLocal: true,
    marksArePublicKeys: false,
  });
  expect(nativeProfile(vendorProfiles.softhsm, [])).toEqual({
    tokenMakesNonces: false,
    knowsCopyable: true,
    maximumGcmBytes: null,
    keyWrapWithPadding: 0x210a,
    oaepHash: 0x220,
    oaepMask: 1,
    clusterKeysArePrivate: false,
    knowsAllowedMechanisms: true,
    reportsLocal: true,
    marksArePublicKeys: false,
  });
});

test('of several mechanisms for key wrap with padding, the first is taken that the token has', () => {
  expect(vendorProfiles.generic.keyWrapWithPaddingMechanisms.value).toEqual([0x210b, 0x210a]);
  expect(nativeProfile(vendorProfiles.generic, [0x210a, 0x2109]).keyWrapWithPadding).toBe(0x210a);
  expect(nativeProfile(vendorProfiles.generic, [0x210a, 0x210b]).keyWrapWithPadding).toBe(0x210b);
  expect(nativeProfile(vendorProfiles.generic, []).keyWrapWithPadding).toBe(0x210b);
});

test('no configuration makes a token enforce trust that is known not to', () => {
  const nss = {
    libraryManufacturer: 'Mozilla Foundation',
    libraryDescription: 'NSS Internal',
    manufacturer: '',
    model: '',
  };
  for (const setting of [{ ceremony: 'so-made' }, { profile: 'softhsm' }] as const)
    expect(effectiveProfile({ ...automaticProfile, ...setting }, nss).ceremony).toBe(vendorProfiles.nss.ceremony);
  // What NSS says if its initialisation string has manufacturerID='SoftHSM project'.
  const disguised = { ...nss, libraryManufacturer: 'SoftHSM project', manufacturer: 'SoftHSM project', model: 'NSS 3' };
  expect(effectiveProfile({ ...automaticProfile, ceremony: 'so-made' }, disguised).ceremony.value).toBe('unsupported');
  const unknown = { ...nss, libraryManufacturer: 'Another', libraryDescription: '' };
  const said = effectiveProfile({ ...automaticProfile, ceremony: 'user-made-then-marked' }, unknown);
  expect(said.ceremony).toEqual({ value: 'user-made-then-marked', source: 'the configuration' });
});
