import { mechanisms, returnCodes, standardWrongTagCodes, type VendorProfile } from './profile.js';

const mechanismsPage = 'AWS CloudHSM User Guide, "Supported mechanisms for the PKCS #11 library for Client SDK 5"';

/** AWS CloudHSM through Client SDK 5. */
export const cloudhsm: VendorProfile = {
  name: 'cloudhsm',
  title: 'AWS CloudHSM (Client SDK 5)',
  verification: { verified: false, what: 'AWS’s documentation and sample code' },
  recognitions: [
    { libraryManufacturer: /cloudhsm|cavium/i },
    { libraryDescription: /cloudhsm/i },
    { tokenManufacturer: /cloudhsm|cavium/i },
    { tokenModel: /cloudhsm|nitrox/i },
  ],
  gcmNonce: {
    value: 'token',
    source:
      `${mechanismsPage}: the HSM does not accept an IV and writes its own 12 bytes to pIv, which must be zero; that they ` +
      'are random: Marvell NITROX III CNN35XX-NFBE HSM Family Security Policy, table of approved algorithms, AES-GCM',
  },
  wrongTagCodes: {
    value: [...standardWrongTagCodes, returnCodes.generalError, returnCodes.functionFailed, returnCodes.dataInvalid],
    source: 'not documented: every code that we know from any vendor; the canary decides',
  },
  maximumGcmBytes: { value: 16_224, source: `${mechanismsPage}, "Maximum data size for each mechanism"` },
  knowsCopyable: { value: true, source: 'PKCS#11 v2.40 §4.4; not confirmed for CloudHSM' },
  keyWrapWithPaddingMechanisms: {
    value: [mechanisms.cloudHsmAesKeyWrapZeroPad],
    source: 'AWS CloudHSM User Guide, "AES key wrapping": CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD',
  },
  oaepHashes: {
    value: ['SHA-1'],
    source: 'PKCS#11 v2.40, Current Mechanisms §2.1.7: what every module takes; not confirmed for CloudHSM',
  },
  privateInstance: {
    value: false,
    source: 'not documented; the library keeps one client with threads and connections of its own',
  },
  recommendedLanes: { value: 16, source: 'no figure: network latency, so more lanes than cores' },
  sessionHeadroom: { value: 8, source: 'our choice: room for the vendor’s tools' },
  maximumSessions: { value: null, source: 'C_GetTokenInfo tells (PKCS#11 v2.40 §3.2)' },
  ceremony: {
    value: 'user-made-then-marked',
    source: 'AWS CloudHSM User Guide, "Mark a key as trusted": only a crypto officer may set CKA_TRUSTED',
  },
  initializationString: { value: 'none', source: 'AWS CloudHSM User Guide, "Bootstrap the Client SDK"' },
  pinFormat: {
    value: 'user:password',
    source: 'AWS CloudHSM User Guide, "Authenticate to the PKCS #11 library": <CU_user_name>:<password>',
  },
};
