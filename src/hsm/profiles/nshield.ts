import { lettersAndDigits, mechanisms, type VendorProfile } from './profile.js';

const mechanismsPage = 'Entrust nShield Security World v13 PKCS #11 API, "Mechanisms"';
const proxySettings = 'AWS’s sample XKS proxy, settings_nshield.toml';

/** Entrust nShield. */
export const nshield: VendorProfile = {
  name: 'nshield',
  title: 'Entrust nShield',
  verification: { verified: false, what: 'Entrust’s documentation and AWS’s sample XKS proxy' },
  recognitions: [
    { libraryManufacturer: /^ncipher|entrust/i },
    { libraryDescription: /nshield|ncipher/i },
    { tokenManufacturer: /^ncipher|entrust/i },
  ],
  gcmNonce: {
    value: 'token-rng',
    source:
      `${proxySettings} hands over 12 zero bytes and lets the HSM make the IV, but no document that we know says that it is ` +
      'random, which gcmNonce: token needs',
  },
  maximumGcmBytes: { value: null, source: `${mechanismsPage} names none` },
  knowsCopyable: { value: true, source: 'PKCS#11 v2.40 §4.4; not confirmed for nShield' },
  keyWrapWithPaddingMechanisms: { value: [mechanisms.aesKeyWrapKwp], source: mechanismsPage },
  oaepHashes: {
    value: ['SHA-1'],
    source: 'PKCS#11 v2.40, Current Mechanisms §2.1.7: what every module takes; not confirmed for nShield',
  },
  privateInstance: { value: false, source: 'not documented; the library keeps a connection to the hardserver' },
  recommendedLanes: { value: 16, source: 'no figure: network latency, so more lanes than cores' },
  sessionHeadroom: { value: 8, source: 'our choice: room for the vendor’s tools' },
  maximumSessions: {
    value: null,
    source: 'ulMaxSessionCount is 0 (CK_EFFECTIVELY_INFINITE) in published C_GetTokenInfo output',
  },
  ceremony: { value: 'unsupported', source: 'not examined' },
  officerMakesPrivateObjects: {
    value: true,
    source: 'PKCS#11 v2.40 §5.7: nothing forbids it; not confirmed for nShield',
  },
  knowsAllowedMechanisms: { value: true, source: 'PKCS#11 v2.40 §4.9; not confirmed for nShield' },
  reportsLocal: { value: true, source: 'PKCS#11 v2.40 §4.9; not confirmed for nShield' },
  generationMark: { value: 'data-object', source: 'PKCS#11 v2.40 §4.5; not confirmed for nShield' },
  initializationString: { value: 'none', source: 'Entrust nShield PKCS #11 API: environment variables (CKNFAST_…)' },
  pinFormat: { value: 'plain', source: 'the passphrase of the operator card set or softcard' },
  generatedPin: {
    value: lettersAndDigits,
    source: 'our choice; not confirmed for nShield. C_GetTokenInfo gives the limits of length',
  },
};
