import { lettersAndDigits, mechanisms, type VendorProfile } from './profile.js';

const gcmPage = 'Thales Luna Network HSM 7 Product Documentation, "CKM_AES_GCM"';

/** Thales Luna 7, not in FIPS mode: in that mode its own IVs are 16 bytes after the tag, up to firmware 7.9.2. */
export const luna: VendorProfile = {
  name: 'luna',
  title: 'Thales Luna 7 (not in FIPS mode)',
  verification: { verified: false, what: 'Thales’s documentation' },
  recognitions: [
    { libraryDescription: /chrystoki/i },
    { libraryManufacturer: /safenet|thales|gemalto/i, libraryDescription: /luna/i },
    { tokenManufacturer: /safenet|thales|gemalto/i, tokenModel: /^luna/i },
  ],
  gcmNonce: {
    value: 'token-rng',
    source: `${gcmPage}, "Initialization Vector": not in FIPS mode the caller specifies it, preferably 12 bytes; in FIPS mode the HSM makes one of 16 bytes`,
  },
  maximumGcmBytes: {
    value: null,
    source: `${gcmPage}: data is accumulated up to a maximum, which our excerpt does not give; 4,096 bytes are assumed to be below it`,
  },
  knowsCopyable: { value: true, source: 'PKCS#11 v2.40 §4.4; not confirmed for Luna' },
  keyWrapWithPaddingMechanisms: {
    value: [mechanisms.aesKeyWrapKwp],
    source: 'PKCS#11 v3.0, Current Mechanisms §2.15; not confirmed for Luna',
  },
  oaepHashes: {
    value: ['SHA-1'],
    source: 'PKCS#11 v2.40, Current Mechanisms §2.1.7: what every module takes; not confirmed for Luna',
  },
  privateInstance: { value: false, source: 'not documented; one client library with its own connections' },
  recommendedLanes: { value: 16, source: 'no figure: network latency, so more lanes than cores' },
  sessionHeadroom: { value: 8, source: 'our choice: room for the vendor’s tools' },
  maximumSessions: { value: null, source: 'C_GetTokenInfo reports it (PKCS#11 v2.40 §3.2)' },
  ceremony: {
    value: 'unsupported',
    source: 'not examined: the security officer of a Luna partition does not operate on keys',
  },
  officerMakesPrivateObjects: { value: true, source: 'PKCS#11 v2.40 §5.7: nothing forbids it; not confirmed for Luna' },
  knowsAllowedMechanisms: { value: true, source: 'PKCS#11 v2.40 §4.9; not confirmed for Luna' },
  reportsLocal: { value: true, source: 'PKCS#11 v2.40 §4.9; not confirmed for Luna' },
  generationMark: { value: 'data-object', source: 'PKCS#11 v2.40 §4.5; not confirmed for Luna' },
  initializationString: { value: 'none', source: 'ChrystokiConfigurationPath names its configuration' },
  pinFormat: { value: 'plain', source: 'the password of the crypto officer or crypto user of the partition' },
  generatedPin: {
    value: lettersAndDigits,
    source: 'our choice; not confirmed for Luna. C_GetTokenInfo gives the limits of length',
  },
};
