import { lettersAndDigits, mechanisms, type VendorProfile } from './profile.js';

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
      `${mechanismsPage}, "Mechanism annotations": the HSM takes no IV from the application and writes the 12 bytes that it made ` +
      'to pIv, a zeroized buffer at C_EncryptInit. It does not say how they are made; that they are random is told of the hardware, ' +
      'second-hand: Marvell NITROX III CNN35XX-NFBE HSM Family Security Policy, approved algorithms, AES-GCM',
  },
  maximumGcmBytes: { value: 16_224, source: `${mechanismsPage}, "Maximum data size for each mechanism"` },
  knowsCopyable: { value: true, source: 'PKCS#11 v2.40 §4.4; not confirmed for CloudHSM' },
  keyWrapWithPaddingMechanisms: {
    value: [mechanisms.cloudHsmAesKeyWrapZeroPad],
    source: 'AWS CloudHSM User Guide, "AES key wrapping": CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD',
  },
  oaepHashes: {
    value: ['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'],
    source: `${mechanismsPage}, "Mechanism annotations", CKM_RSA_PKCS_OAEP`,
  },
  privateInstance: {
    value: false,
    source: 'not documented; the library keeps one client with threads and connections of its own',
  },
  recommendedLanes: { value: 16, source: 'no figure: network latency, so more lanes than cores' },
  sessionHeadroom: { value: 8, source: 'our choice: room for the vendor’s tools' },
  maximumSessions: { value: null, source: 'C_GetTokenInfo reports it (PKCS#11 v2.40 §3.2)' },
  ceremony: {
    value: 'user-made-then-marked',
    source: 'AWS CloudHSM User Guide, "Mark a key as trusted": only a crypto officer may set CKA_TRUSTED',
  },
  officerMakesPrivateObjects: {
    value: false,
    source: "AWS CloudHSM User Guide: a crypto officer makes no keys; the crypto user's are private",
  },
  knowsAllowedMechanisms: { value: true, source: 'PKCS#11 v2.40 §4.9; not confirmed for CloudHSM' },
  reportsLocal: { value: true, source: 'PKCS#11 v2.40 §4.9; not confirmed for CloudHSM' },
  generationMark: { value: 'data-object', source: 'PKCS#11 v2.40 §4.5; not confirmed for CloudHSM' },
  initializationString: { value: 'none', source: 'AWS CloudHSM User Guide, "Bootstrap the Client SDK"' },
  pinFormat: {
    value: 'user:password',
    source: 'AWS CloudHSM User Guide, "Authenticate to the PKCS #11 library": <CU_user_name>:<password>',
  },
  generatedPin: {
    value: lettersAndDigits,
    source: "AWS CloudHSM User Guide: a password has 7 to 32 characters. Not used: only the vendor's tool changes it",
  },
};
