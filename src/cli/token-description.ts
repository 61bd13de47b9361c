import type { TokenInfo } from '../hsm/token-list.js';

/** The mechanisms that matter here (PKCS#11 v3.1, Current Mechanisms): those that make and use keys. */
const mechanismsOfInterest: ReadonlyMap<number, string> = new Map([
  [0x0001, 'RSA_PKCS'],
  [0x0009, 'RSA_PKCS_OAEP'],
  [0x0251, 'SHA256_HMAC'],
  [0x1041, 'ECDSA'],
  [0x1050, 'ECDH1_DERIVE'],
  [0x1080, 'AES_KEY_GEN'],
  [0x1087, 'AES_GCM'],
  [0x210a, 'AES_KEY_WRAP_PAD'],
  [0x210b, 'AES_KEY_WRAP_KWP'],
]);

/** Without these a token cannot be a member. */
const requiredMechanisms: ReadonlyMap<number, string> = new Map([
  [0x1080, 'AES_KEY_GEN'],
  [0x1087, 'AES_GCM'],
]);

/** Flags of a token that an operator should see (PKCS#11 v2.40 §3.2, CK_TOKEN_INFO.flags). */
const flagNames: readonly (readonly [bit: number, name: string])[] = [
  [0x2, 'WRITE_PROTECTED'],
  [0x8, 'USER_PIN_INITIALIZED'],
  [0x400, 'TOKEN_INITIALIZED'],
  [0x1_0000, 'USER_PIN_COUNT_LOW'],
  [0x2_0000, 'USER_PIN_FINAL_TRY'],
  [0x4_0000, 'USER_PIN_LOCKED'],
  [0x8_0000, 'USER_PIN_TO_BE_CHANGED'],
];

/** The flags that are set, by name. */
export function flagsOf(token: TokenInfo): string[] {
  return flagNames.filter(([bit]) => (token.flags & bit) !== 0).map(([, name]) => name);
}

/** The mechanisms of interest that the token has. */
export function mechanismsOf(token: TokenInfo): string[] {
  return [...mechanismsOfInterest].filter(([value]) => token.mechanisms.includes(value)).map(([, name]) => name);
}

/** The required mechanisms that the token lacks. */
export function missingMechanisms(token: TokenInfo): string[] {
  return [...requiredMechanisms].filter(([value]) => !token.mechanisms.includes(value)).map(([, name]) => name);
}

/** Why the token cannot be a member as it is; empty if it can. */
export function obstaclesOf(token: TokenInfo): string[] {
  if (token.label === '') return ['it is not initialised'];
  const flags = flagsOf(token);
  const missing = missingMechanisms(token);
  return [
    ...(missing.length === 0 ? [] : [`it lacks ${missing.join(', ')}`]),
    ...(flags.includes('WRITE_PROTECTED') ? ['it is write-protected'] : []),
    ...(flags.includes('USER_PIN_INITIALIZED') ? [] : ['it has no user PIN']),
    ...(flags.includes('USER_PIN_LOCKED') ? ['its user PIN is locked'] : []),
  ];
}
