import { lettersAndDigits, mechanisms, type VendorProfile } from './profile.js';

/** kryoptic: keys in a database file, for development and tests. Its tokens do not enforce trust. */
export const kryoptic: VendorProfile = {
  name: 'kryoptic',
  title: 'kryoptic 1.5',
  verification: { verified: true, what: 'the contract suite of the HSM port and the ceremony, on kryoptic 1.5.4' },
  recognitions: [{ libraryManufacturer: /^Kryoptic/i }, { tokenManufacturer: /^Kryoptic/i }],
  gcmNonce: { value: 'token-rng', source: 'measured, 1.5.4: uses the IV that it is given' },
  maximumGcmBytes: { value: null, source: 'measured, 1.5.4: 64 KiB pass' },
  knowsCopyable: { value: true, source: 'measured, 1.5.4' },
  keyWrapWithPaddingMechanisms: {
    value: [mechanisms.aesKeyWrapKwp],
    source: 'measured, 1.5.4: RFC 5649, the same bytes as SoftHSM and NSS',
  },
  oaepHashes: { value: ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'], source: 'measured, 1.5.4' },
  privateInstance: { value: true, source: 'measured, 1.5.4: the contract suite runs on private instances' },
  recommendedLanes: { value: 4, source: 'measured, 1.5.4: 8 threads work without an error; one lock a token' },
  sessionHeadroom: { value: 0, source: 'measured, 1.5.4: sessions are not limited' },
  maximumSessions: { value: null, source: 'measured, 1.5.4: C_GetTokenInfo reports no limit' },
  ceremony: {
    value: 'unsupported',
    source: 'measured, 1.5.4: the user can generate and unwrap keys with CKA_TRUSTED, and wraps every key under them',
  },
  officerMakesPrivateObjects: { value: true, source: 'PKCS#11 v2.40 §5.7: nothing forbids it; not examined' },
  knowsAllowedMechanisms: { value: true, source: 'measured, 1.5.4' },
  reportsLocal: { value: true, source: 'measured, 1.5.4' },
  generationMark: { value: 'data-object', source: 'measured, 1.5.4' },
  initializationString: { value: 'none', source: 'measured, 1.5.4: KRYOPTIC_CONF names its configuration' },
  pinFormat: { value: 'plain', source: 'measured, 1.5.4' },
  generatedPin: { value: lettersAndDigits, source: 'our choice; C_GetTokenInfo gives the limits of length' },
};
