import { describe, expect, test } from 'vitest';
import { moduleProfiles } from '../../config/configuration.js';
import { profileNames, type Sourced } from './profile.js';
import { detectProfile, type Introduction, vendorProfiles } from './profiles.js';

const unnamed: Introduction = { libraryManufacturer: '', libraryDescription: '', manufacturer: '', model: '' };

describe('detection', () => {
  // SoftHSM, NSS and kryoptic as measured, the others as published.
  const introductions: readonly (readonly [string, Partial<Introduction>])[] = [
    ['softhsm', { libraryManufacturer: 'SoftHSM', libraryDescription: 'Implementation of PKCS11' }],
    ['softhsm', { libraryManufacturer: 'a shim in front', manufacturer: 'SoftHSM project', model: 'SoftHSM v2' }],
    ['nss', { libraryManufacturer: 'Mozilla Foundation', libraryDescription: 'NSS Internal Crypto Services' }],
    ['nss', { manufacturer: 'Mozilla Foundation', model: 'NSS 3' }],
    ['kryoptic', { libraryManufacturer: 'Kryoptic', manufacturer: 'Kryoptic Project', model: 'v1' }],
    ['cloudhsm', { libraryManufacturer: 'AWS CloudHSM', model: 'hsm1' }],
    ['cloudhsm', { manufacturer: 'Cavium Networks' }],
    ['luna', { libraryManufacturer: 'SafeNet', libraryDescription: 'Chrystoki' }],
    ['luna', { manufacturer: 'SafeNet, Inc.', model: 'LunaSA 7.4.0' }],
    ['nshield', { libraryManufacturer: 'nCipher Corp. Ltd' }],
    ['nshield', { libraryDescription: 'Entrust nShield' }],
    ['generic', { libraryManufacturer: 'OpenSC Project', libraryDescription: 'OpenSC smartcard framework' }],
    ['generic', { libraryManufacturer: 'SafeNet, Inc.', libraryDescription: 'SafeNet eToken PKCS#11' }],
    ['generic', {}],
  ];

  test.each(introductions)('%s: %j', (name, introduction) => {
    expect(detectProfile({ ...unnamed, ...introduction }).name).toBe(name);
  });

  test('every profile has an example', () => {
    expect(new Set(introductions.map(([name]) => name))).toEqual(new Set(profileNames));
  });
});

describe('the data', () => {
  test('the configuration knows the same profiles', () => {
    expect(moduleProfiles).toEqual(['auto', ...profileNames]);
  });

  test.each(profileNames)('%s names the source of each value', (name) => {
    const profile = vendorProfiles[name];
    expect(profile.name).toBe(name);
    expect(profile.verification.what).not.toBe('');
    const sourced = Object.entries(profile).filter(
      (entry): entry is [string, Sourced<unknown>] => typeof entry[1] === 'object' && 'value' in entry[1],
    );
    expect(sourced).toHaveLength(17);
    for (const [field, { source }] of sourced) expect(source.length, field).toBeGreaterThan(5);
  });

  test('only profiles that the tests run on are verified', () => {
    const verified = profileNames.filter((name) => vendorProfiles[name].verification.verified);
    expect(verified).toEqual(['softhsm', 'nss', 'kryoptic']);
  });

  test('a token makes nonces only if a source says that they are random', () => {
    const makers = profileNames.filter((name) => vendorProfiles[name].gcmNonce.value === 'token');
    expect(makers).toEqual(['cloudhsm']);
    for (const name of makers) expect(vendorProfiles[name].gcmNonce.source).toMatch(/random/);
  });
});
