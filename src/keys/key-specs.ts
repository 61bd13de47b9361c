/**
 * The key specs of the AWS KMS API: what each is for, with which algorithms, and what it is in a token. The one table of
 * them; a test compares it with the published model.
 */
import type { MacLength } from '../clusters/hsm-cluster.js';
import { type Mechanism, missingMechanisms } from '../clusters/mechanism.js';
import { type MechanismName, mechanismsNamed } from './mechanisms.js';

/** AWS KMS API Reference, KeyMetadata.KeyUsage. */
export type KeyUsage =
  | 'ENCRYPT_DECRYPT'
  | 'SIGN_VERIFY'
  | 'GENERATE_VERIFY_MAC'
  | 'KEY_AGREEMENT'
  | 'ENCAPSULATE_DECAPSULATE';

/** One use of a key spec. */
interface SpecUse {
  /** As the API names them: of encryption, signing, MACs, key agreement or encapsulation, by the usage. */
  algorithms: readonly string[];
  /** How a token makes such a key and uses it. Hashing and verifying happen outside it. */
  mechanisms: readonly Mechanism[];
}

/** The facts of one key spec. */
interface KeySpecFacts {
  /** Whether Holdfast makes such keys; CreateKey refuses the others by name. */
  honoured: boolean;
  /** CKA_CLASS and CKA_KEY_TYPE (PKCS#11 v3.2); null: no standard has it. */
  pkcs11: { objectClass: 'secret' | 'private'; keyType: string } | null;
  /** The length of a key for MACs. */
  macLength?: MacLength;
  /** Where its material may come from. External key stores have symmetric keys alone (AWS KMS Developer Guide, "External key stores"). */
  externalKeyStore: boolean;
  uses: Readonly<Partial<Record<KeyUsage, SpecUse>>>;
}

const use = (algorithms: readonly string[], ...mechanisms: MechanismName[]): SpecUse => ({
  algorithms,
  mechanisms: mechanismsNamed(...mechanisms),
});

const shaFamily = (prefix: string): string[] => ['256', '384', '512'].map((bits) => `${prefix}_SHA_${bits}`);

const hmac = (bits: 224 | 256 | 384 | 512, macLength: MacLength) =>
  ({
    honoured: true,
    pkcs11: { objectClass: 'secret', keyType: 'CKK_GENERIC_SECRET' },
    macLength,
    externalKeyStore: false,
    uses: {
      GENERATE_VERIFY_MAC: use([`HMAC_SHA_${bits}`], 'CKM_GENERIC_SECRET_KEY_GEN', `CKM_SHA${bits}_HMAC`),
    },
  }) as const;

const pair = (keyType: string, uses: KeySpecFacts['uses']): KeySpecFacts => ({
  honoured: false,
  pkcs11: { objectClass: 'private', keyType },
  externalKeyStore: false,
  uses,
});

const rsa = pair('CKK_RSA', {
  ENCRYPT_DECRYPT: use(['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'], 'CKM_RSA_PKCS_KEY_PAIR_GEN', 'CKM_RSA_PKCS_OAEP'),
  SIGN_VERIFY: use(
    [...shaFamily('RSASSA_PSS'), ...shaFamily('RSASSA_PKCS1_V1_5')],
    'CKM_RSA_PKCS_KEY_PAIR_GEN',
    'CKM_RSA_PKCS',
    'CKM_RSA_PKCS_PSS',
  ),
});

const ecdsa = (bits: number): SpecUse => use([`ECDSA_SHA_${bits}`], 'CKM_EC_KEY_PAIR_GEN', 'CKM_ECDSA');
const ecdh = use(['ECDH'], 'CKM_EC_KEY_PAIR_GEN', 'CKM_ECDH1_DERIVE');
const nistCurve = (bits: number): KeySpecFacts => pair('CKK_EC', { SIGN_VERIFY: ecdsa(bits), KEY_AGREEMENT: ecdh });

const mlDsa = pair('CKK_ML_DSA', { SIGN_VERIFY: use(['ML_DSA_SHAKE_256'], 'CKM_ML_DSA_KEY_PAIR_GEN', 'CKM_ML_DSA') });
const mlKem = pair('CKK_ML_KEM', {
  ENCAPSULATE_DECAPSULATE: use(['ML_KEM'], 'CKM_ML_KEM_KEY_PAIR_GEN', 'CKM_ML_KEM'),
});

/** AWS KMS API Reference, KeyMetadata.KeySpec. */
export type KeySpec =
  | 'SYMMETRIC_DEFAULT'
  | `HMAC_${224 | 256 | 384 | 512}`
  | `RSA_${2048 | 3072 | 4096}`
  | `ECC_NIST_${'P256' | 'P384' | 'P521' | 'EDWARDS25519'}`
  | 'ECC_SECG_P256K1'
  | `ML_DSA_${44 | 65 | 87}`
  | `ML_KEM_${512 | 768 | 1024}`
  | 'SM2';

/** The table. */
export const keySpecs: Readonly<Record<KeySpec, KeySpecFacts>> = {
  SYMMETRIC_DEFAULT: {
    honoured: true,
    pkcs11: { objectClass: 'secret', keyType: 'CKK_AES' },
    externalKeyStore: true,
    uses: { ENCRYPT_DECRYPT: use(['SYMMETRIC_DEFAULT'], 'CKM_AES_KEY_GEN', 'CKM_AES_GCM') },
  },
  HMAC_224: hmac(224, 28),
  HMAC_256: hmac(256, 32),
  HMAC_384: hmac(384, 48),
  HMAC_512: hmac(512, 64),
  RSA_2048: rsa,
  RSA_3072: rsa,
  RSA_4096: rsa,
  ECC_NIST_P256: nistCurve(256),
  ECC_NIST_P384: nistCurve(384),
  ECC_NIST_P521: nistCurve(512),
  ECC_SECG_P256K1: pair('CKK_EC', { SIGN_VERIFY: ecdsa(256) }),
  ECC_NIST_EDWARDS25519: pair('CKK_EC_EDWARDS', {
    SIGN_VERIFY: use(['ED25519_SHA_512', 'ED25519_PH_SHA_512'], 'CKM_EC_EDWARDS_KEY_PAIR_GEN', 'CKM_EDDSA'),
  }),
  ML_DSA_44: mlDsa,
  ML_DSA_65: mlDsa,
  ML_DSA_87: mlDsa,
  ML_KEM_512: mlKem,
  ML_KEM_768: mlKem,
  ML_KEM_1024: mlKem,
  SM2: {
    ...pair('', {}),
    pkcs11: null,
    uses: { ENCRYPT_DECRYPT: use(['SM2PKE']), SIGN_VERIFY: use(['SM2DSA']), KEY_AGREEMENT: use(['ECDH']) },
  },
};

const keySpecNames = Object.keys(keySpecs) as KeySpec[];

/** The specs of the keys that Holdfast makes. */
export const honouredKeySpecs: readonly KeySpec[] = keySpecNames.filter((spec) => keySpecs[spec].honoured);

/** The usages of the keys that Holdfast makes. */
export const honouredKeyUsages: readonly KeyUsage[] = [
  ...new Set(honouredKeySpecs.flatMap((spec) => Object.keys(keySpecs[spec].uses) as KeyUsage[])),
];

/** The algorithms of a key; none if the spec does not have the usage. */
export function algorithmsOf(spec: KeySpec, usage: KeyUsage): readonly string[] {
  return keySpecs[spec].uses[usage]?.algorithms ?? [];
}

/** The specs of which Holdfast makes keys on a token that lists these mechanisms. */
export function keySpecsWith(mechanisms: readonly number[]): KeySpec[] {
  const isWhole = ({ mechanisms: needed }: SpecUse): boolean => missingMechanisms(needed, mechanisms).length === 0;
  return honouredKeySpecs.filter((spec) => Object.values(keySpecs[spec].uses).some(isWhole));
}
