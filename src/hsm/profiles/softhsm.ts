import { lettersAndDigits, mechanisms, type VendorProfile } from './profile.js';

/** SoftHSM: keys in files, for development and tests. */
export const softhsm: VendorProfile = {
  name: 'softhsm',
  title: 'SoftHSM 2.6',
  verification: { verified: true, what: 'the whole test suite, on SoftHSM 2.6.1' },
  recognitions: [{ libraryManufacturer: /^SoftHSM$/ }, { tokenManufacturer: /^SoftHSM project$/ }],
  gcmNonce: {
    value: 'token-rng',
    source: 'measured, 2.6.1: C_EncryptInit takes a null IV and makes none, so it must be given one',
  },
  maximumGcmBytes: { value: null, source: 'source of 2.6.1: C_Encrypt works in memory, without a limit' },
  knowsCopyable: { value: true, source: 'measured, 2.6.1' },
  keyWrapWithPaddingMechanisms: {
    value: [mechanisms.aesKeyWrapPad],
    source: 'measured, 2.6.1: 0x210A is RFC 5649, 0x210B is CKR_MECHANISM_INVALID (its issue 726)',
  },
  oaepHashes: { value: ['SHA-1'], source: 'source of 2.6.1, MechParamCheckRSAPKCSOAEP; measured' },
  privateInstance: {
    value: true,
    source: 'measured, 2.6.1: a token that went away comes back only by C_Finalize and C_Initialize',
  },
  recommendedLanes: {
    value: 1,
    source: 'measured, 2.6.1: one thread 63,000 encryptions a second, two 33,000: one lock around every allocation',
  },
  sessionHeadroom: { value: 0, source: 'source of 2.6.1: sessions are not limited' },
  maximumSessions: { value: null, source: 'measured, 2.6.1: ulMaxSessionCount is 0 (CK_EFFECTIVELY_INFINITE)' },
  ceremony: {
    value: 'so-made',
    source: 'measured, 2.6.1: CKA_TRUSTED by the security officer, at creation; CKA_WRAP_WITH_TRUSTED is enforced',
  },
  officerMakesPrivateObjects: {
    value: false,
    source: 'measured, 2.6.1: C_GenerateKey and C_UnwrapKey answer CKR_USER_NOT_LOGGED_IN',
  },
  knowsAllowedMechanisms: { value: true, source: 'measured, 2.6.1' },
  reportsLocal: { value: true, source: 'measured, 2.6.1' },
  generationMark: { value: 'data-object', source: 'measured, 2.6.1' },
  initializationString: { value: 'none', source: 'measured, 2.6.1: SOFTHSM2_CONF names its configuration' },
  pinFormat: { value: 'plain', source: 'measured, 2.6.1' },
  generatedPin: { value: lettersAndDigits, source: 'measured, 2.6.1: any bytes, 4 to 255 (C_GetTokenInfo)' },
};
