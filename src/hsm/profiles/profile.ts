/** A vendor profile: the differences of one HSM's PKCS#11 from others. Data, each value with its source. */

/** One for each file beside this one that knows a vendor; `generic` is for unrecognised modules. */
export const profileNames = ['softhsm', 'nss', 'kryoptic', 'cloudhsm', 'luna', 'nshield', 'generic'] as const;
/** The configuration's value. `auto` is not a profile but the choice of one. */
export type ProfileName = (typeof profileNames)[number];

/** A value and its source: a document by its title, a section of a standard, or a measurement on a stated version. */
export interface Sourced<T> {
  readonly value: T;
  readonly source: string;
}

/**
 * Where the nonce of an AES-GCM encryption comes from (invariant 9).
 * - `token-rng`: we draw it by C_GenerateRandom and pass it on.
 * - `token`: we pass 12 zero bytes and read back the token's nonce. Only if a source says that it is random: several
 *   members hold the same key, and two counters would collide.
 */
export type GcmNonceMaker = 'token-rng' | 'token';

/**
 * How trusted wrapping keys (CKA_TRUSTED, PKCS#11 v2.40 §4.9) are made: by the security officer, by the user and then
 * marked by an officer, or not at all, because the token does not enforce trust.
 */
export type CeremonyKind = 'so-made' | 'user-made-then-marked' | 'unsupported';

/** The hashes of RSA-OAEP (RFC 8017, appendix B.1) that a token may know for CKM_RSA_PKCS_OAEP. */
export type OaepHash = 'SHA-1' | 'SHA-256' | 'SHA-384' | 'SHA-512';

/** Texts of `C_GetInfo` or `C_GetTokenInfo` by which a module is recognised; all given ones must match. */
export interface Recognition {
  readonly libraryManufacturer?: RegExp;
  readonly libraryDescription?: RegExp;
  readonly tokenManufacturer?: RegExp;
  readonly tokenModel?: RegExp;
}

/** The characters of a random PIN, each once, and how many it has. */
export interface GeneratedPin {
  readonly alphabet: string;
  readonly length: number;
}

/** 24 of 57 characters that a person can tell apart: 139 bits, and shorter than AWS's maximum of 32. */
export const lettersAndDigits: GeneratedPin = {
  alphabet: 'abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789',
  length: 24,
};

/** One HSM's differences, each with its source. `effective-profile.ts` applies the configuration's overrides. */
export interface VendorProfile {
  readonly name: ProfileName;
  /** The name for tables and logs. */
  readonly title: string;
  /** Whether our tests ran on it. `what`: on which version, or what the profile is based on instead. */
  readonly verification: { readonly verified: boolean; readonly what: string };
  /** Any of them is enough. A profile without any is never recognised by itself. */
  readonly recognitions: readonly Recognition[];
  readonly gcmNonce: Sourced<GcmNonceMaker>;
  /** Maximum number of plaintext bytes in one C_Encrypt by CKM_AES_GCM; null: no limit that a request could reach. */
  readonly maximumGcmBytes: Sourced<number | null>;
  /**
   * Whether a template of a new key may have CKA_COPYABLE=false (PKCS#11 v2.40 §4.4). If not, the key is made without
   * it: a sensitive key cannot be copied into one that is not (§5.7, C_CopyObject).
   */
  readonly knowsCopyable: Sourced<boolean>;
  /** Mechanisms for key wrap with padding (RFC 5649) on this HSM, the preferred one first. */
  readonly keyWrapWithPaddingMechanisms: Sourced<readonly number[]>;
  readonly oaepHashes: Sourced<readonly OaepHash[]>;
  /** Whether each member may load a copy of the library, which allows finalising one while its neighbours work. */
  readonly privateInstance: Sourced<boolean>;
  /** The default number of lanes. */
  readonly recommendedLanes: Sourced<number>;
  /** How many of the sessions that C_GetTokenInfo allows are left to other programs. */
  readonly sessionHeadroom: Sourced<number>;
  /** Maximum sessions of one token, if C_GetTokenInfo does not say; null: unknown or unlimited. */
  readonly maximumSessions: Sourced<number | null>;
  readonly ceremony: Sourced<CeremonyKind>;
  /** Whether the security officer may make objects with CKA_PRIVATE; if not, the cluster keys that it makes are visible without a PIN. */
  readonly officerMakesPrivateObjects: Sourced<boolean>;
  /** Whether a token key may have CKA_ALLOWED_MECHANISMS (PKCS#11 v2.40 §4.9). */
  readonly knowsAllowedMechanisms: Sourced<boolean>;
  /** Whether a generated key has CKA_LOCAL (PKCS#11 v2.40 §4.9). */
  readonly reportsLocal: Sourced<boolean>;
  /**
   * What marks a generation of wrapping keys as complete, and the form of the catalog's witness: a data object, or a public key if the token keeps no
   * data objects.
   */
  readonly generationMark: Sourced<'data-object' | 'public-key'>;
  /** Whether `C_Initialize` needs an initialisation string (CK_C_INITIALIZE_ARGS.pReserved). */
  readonly initializationString: Sourced<'none' | 'required'>;
  readonly pinFormat: Sourced<'plain' | 'user:password'>;
  /** How a random PIN is made for it. Its token's own limits of length (C_GetTokenInfo) come before this length. */
  readonly generatedPin: Sourced<GeneratedPin>;
}

/** Mechanisms, PKCS#11 v2.40 and v3.0, "Current Mechanisms". */
export const mechanisms = {
  aesKeyWrapPad: 0x210a,
  aesKeyWrapKwp: 0x210b,
  /** CloudHSM's own: CKM_VENDOR_DEFINED | CKM_AES_KEY_WRAP. */
  cloudHsmAesKeyWrapZeroPad: 0x8000_216f,
} as const;
