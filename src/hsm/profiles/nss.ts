import { lettersAndDigits, mechanisms, type VendorProfile } from './profile.js';

/** The softoken of Mozilla's NSS: a second software implementation, in our tests. */
export const nss: VendorProfile = {
  name: 'nss',
  title: 'NSS softokn 3',
  verification: { verified: true, what: 'create, encrypt, decrypt and wrong ciphertexts, on NSS 3.87.1' },
  recognitions: [
    { libraryManufacturer: /^Mozilla Foundation$/, libraryDescription: /^NSS / },
    // Its initialisation string can change every other text: manufacturerID, libraryDescription.
    { tokenModel: /^NSS 3$/ },
  ],
  gcmNonce: { value: 'token-rng', source: 'measured, 3.87.1: uses the IV that it is given' },
  maximumGcmBytes: { value: null, source: 'measured, 3.87.1: 64 KiB pass' },
  knowsCopyable: { value: false, source: 'measured, 3.87.1: C_GenerateKey is CKR_GENERAL_ERROR with it' },
  keyWrapWithPaddingMechanisms: {
    value: [mechanisms.aesKeyWrapKwp],
    source: 'measured, 3.87.1: in its list of mechanisms; RFC 5649 by PKCS#11 v3.0',
  },
  oaepHashes: { value: ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'], source: 'source of NSS, sftk RSA-OAEP parameters' },
  privateInstance: {
    value: false,
    source: 'measured, 3.87.1: a copy finds the libraries that it needs only where another has loaded them',
  },
  recommendedLanes: { value: 4, source: 'no figure; sessions of one token share few locks' },
  sessionHeadroom: { value: 0, source: 'measured, 3.87.1: sessions are not limited' },
  maximumSessions: { value: null, source: 'measured, 3.87.1: ulMaxSessionCount is 0 (CK_EFFECTIVELY_INFINITE)' },
  ceremony: {
    value: 'unsupported',
    source: 'measured, 3.87.1: CKA_WRAP_WITH_TRUSTED is stored and ignored, and the user can make trusted keys',
  },
  officerMakesPrivateObjects: { value: true, source: 'PKCS#11 v2.40 §5.7: nothing forbids it; not examined' },
  knowsAllowedMechanisms: {
    value: false,
    source: 'measured, 3.87.1: CKR_GENERAL_ERROR in the template of a token key',
  },
  reportsLocal: { value: false, source: 'measured, 3.87.1: CKA_LOCAL is false for a generated key' },
  generationMark: {
    value: 'public-key',
    source:
      'measured, 3.87.1: C_CreateObject refuses a data object that is a token object (CKR_ATTRIBUTE_VALUE_INVALID)',
  },
  initializationString: {
    value: 'required',
    source: "measured, 3.87.1: configdir='sql:DIR' certPrefix='' keyPrefix='' secmod='secmod.db'",
  },
  pinFormat: { value: 'plain', source: 'measured, 3.87.1' },
  generatedPin: {
    value: lettersAndDigits,
    source: 'NSS, FIPS mode: at least 7 characters of three classes; otherwise any',
  },
};
