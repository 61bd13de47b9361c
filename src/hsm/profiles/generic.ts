import { lettersAndDigits, mechanisms, type VendorProfile } from './profile.js';

/** The profile of unrecognised modules: what PKCS#11 says, and the most careful choice if it leaves one. */
export const generic: VendorProfile = {
  name: 'generic',
  title: 'another PKCS#11 module',
  verification: { verified: false, what: 'the standard' },
  recognitions: [],
  gcmNonce: { value: 'token-rng', source: 'PKCS#11 v2.40, Current Mechanisms §2.12.4: the caller gives pIv' },
  maximumGcmBytes: {
    value: null,
    source: 'PKCS#11 v2.40, Current Mechanisms §2.12.4: no limit that a request could reach',
  },
  knowsCopyable: {
    value: true,
    source: 'PKCS#11 v2.40 §4.4; CKR_ATTRIBUTE_TYPE_INVALID of an older module is provided for',
  },
  keyWrapWithPaddingMechanisms: {
    value: [mechanisms.aesKeyWrapKwp, mechanisms.aesKeyWrapPad],
    source: 'PKCS#11 v3.0, Current Mechanisms §2.15: CKM_AES_KEY_WRAP_KWP is RFC 5649; older modules have it as 0x210A',
  },
  oaepHashes: { value: ['SHA-1'], source: 'PKCS#11 v2.40, Current Mechanisms §2.1.7: what every module takes' },
  privateInstance: { value: false, source: 'most libraries keep process-wide state' },
  recommendedLanes: { value: 4, source: 'our choice' },
  sessionHeadroom: { value: 2, source: 'our choice: room for the vendor’s tools' },
  maximumSessions: { value: null, source: 'C_GetTokenInfo reports it (PKCS#11 v2.40 §3.2)' },
  ceremony: { value: 'unsupported', source: 'not examined' },
  officerMakesPrivateObjects: { value: true, source: 'PKCS#11 v2.40 §5.7: nothing forbids it' },
  knowsAllowedMechanisms: { value: true, source: 'PKCS#11 v2.40 §4.9' },
  reportsLocal: { value: true, source: 'PKCS#11 v2.40 §4.9' },
  generationMark: { value: 'data-object', source: 'PKCS#11 v2.40 §4.5' },
  initializationString: { value: 'none', source: 'PKCS#11 v2.40 §5.4: pReserved should be null' },
  pinFormat: { value: 'plain', source: 'PKCS#11 v2.40 §5.6, C_Login' },
  generatedPin: {
    value: lettersAndDigits,
    source: 'our choice; C_GetTokenInfo gives the limits of length (PKCS#11 v2.40 §3.2)',
  },
};
