import type { Mechanism } from '../clusters/mechanism.js';

/** The mechanisms of the kinds of keys: PKCS#11 v3.2, "Current Mechanisms", and its header. */
const values = {
  CKM_RSA_PKCS_KEY_PAIR_GEN: 0x0,
  CKM_RSA_PKCS: 0x1,
  CKM_RSA_PKCS_OAEP: 0x9,
  CKM_RSA_PKCS_PSS: 0xd,
  CKM_ML_KEM_KEY_PAIR_GEN: 0xf,
  CKM_ML_KEM: 0x17,
  CKM_ML_DSA_KEY_PAIR_GEN: 0x1c,
  CKM_ML_DSA: 0x1d,
  CKM_SHA256_HMAC: 0x251,
  CKM_SHA224_HMAC: 0x256,
  CKM_SHA384_HMAC: 0x261,
  CKM_SHA512_HMAC: 0x271,
  CKM_GENERIC_SECRET_KEY_GEN: 0x350,
  CKM_EC_KEY_PAIR_GEN: 0x1040,
  CKM_ECDSA: 0x1041,
  CKM_ECDH1_DERIVE: 0x1050,
  CKM_EC_EDWARDS_KEY_PAIR_GEN: 0x1055,
  CKM_EDDSA: 0x1057,
  CKM_AES_KEY_GEN: 0x1080,
  CKM_AES_GCM: 0x1087,
} as const;

/** A mechanism, by its name in the standard. */
export type MechanismName = keyof typeof values;

/** The mechanisms of these names. */
export function mechanismsNamed(...names: MechanismName[]): readonly Mechanism[] {
  return names.map((name) => ({ name, value: values[name] }));
}
