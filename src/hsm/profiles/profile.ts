/** What a vendor profile says: in what one HSM's PKCS#11 differs from another's. Data, each value with its source. */

/** One for each file beside this one that knows a vendor; `generic` is for a module that none of them recognises. */
export const profileNames = ['softhsm', 'nss', 'cloudhsm', 'luna', 'nshield', 'generic'] as const;
/** As configuration names it. `auto` is no profile but the choice of one. */
export type ProfileName = (typeof profileNames)[number];

/** A value and where it is from: a document by its title, a section of a standard, or what was measured on which version. */
export interface Sourced<T> {
  readonly value: T;
  readonly source: string;
}

/**
 * Who makes the nonce of an AES-GCM encryption (invariant 9).
 * - `token-rng`: we draw it by C_GenerateRandom and hand it over.
 * - `token`: we hand over 12 zero bytes and read what the token put there. Only where a source says that it is random:
 *   several members hold the same key, and two counters would meet.
 */
export type GcmNonceMaker = 'token-rng' | 'token';

/**
 * How trusted wrapping keys (CKA_TRUSTED, PKCS#11 v2.40 §4.9) come to be: made by the security officer, made by the
 * user and then marked by an officer, or not at all, because the token does not enforce trust.
 */
export type CeremonyKind = 'so-made' | 'user-made-then-marked' | 'unsupported';

/** The hashes of RSA-OAEP (RFC 8017, appendix B.1) that a token may know for CKM_RSA_PKCS_OAEP. */
export type OaepHash = 'SHA-1' | 'SHA-256' | 'SHA-384' | 'SHA-512';

/** Some text of `C_GetInfo` or `C_GetTokenInfo` by which a module is recognised; all that are given must match. */
export interface Recognition {
  readonly libraryManufacturer?: RegExp;
  readonly libraryDescription?: RegExp;
  readonly tokenManufacturer?: RegExp;
  readonly tokenModel?: RegExp;
}

/** One HSM's differences, each with its source. `effective-profile.ts` puts what configuration overrides in their place. */
export interface VendorProfile {
  readonly name: ProfileName;
  /** For tables and logs. */
  readonly title: string;
  /** Whether our tests ran on it. `what`: on which version, or what it rests on instead. */
  readonly verification: { readonly verified: boolean; readonly what: string };
  /** Any of them is enough. None: never recognised by itself. */
  readonly recognitions: readonly Recognition[];
  readonly gcmNonce: Sourced<GcmNonceMaker>;
  /** Most bytes of plaintext in one C_Encrypt by CKM_AES_GCM; null: no limit that a request could reach. */
  readonly maximumGcmBytes: Sourced<number | null>;
  /**
   * Whether a template of a new key may have CKA_COPYABLE=false (PKCS#11 v2.40 §4.4). Where not, the key is made without it:
   * what is sensitive cannot be copied into what is not (§5.7, C_CopyObject).
   */
  readonly knowsCopyable: Sourced<boolean>;
  /** Mechanisms that are key wrap with padding (RFC 5649) here, the preferred one first. */
  readonly keyWrapWithPaddingMechanisms: Sourced<readonly number[]>;
  readonly oaepHashes: Sourced<readonly OaepHash[]>;
  /** Whether a copy of the library may be loaded for each member, so that one can be finalised while its neighbours work. */
  readonly privateInstance: Sourced<boolean>;
  /** Lanes where configuration says nothing. */
  readonly recommendedLanes: Sourced<number>;
  /** Sessions that are left to others, of what C_GetTokenInfo says there may be. */
  readonly sessionHeadroom: Sourced<number>;
  /** Most sessions of one token, where C_GetTokenInfo does not say; null: unknown or unlimited. */
  readonly maximumSessions: Sourced<number | null>;
  readonly ceremony: Sourced<CeremonyKind>;
  /** Whether `C_Initialize` wants an initialisation string (CK_C_INITIALIZE_ARGS.pReserved). */
  readonly initializationString: Sourced<'none' | 'required'>;
  readonly pinFormat: Sourced<'plain' | 'user:password'>;
}

/** Mechanisms, PKCS#11 v2.40 and v3.0, "Current Mechanisms". */
export const mechanisms = {
  aesKeyWrapPad: 0x210a,
  aesKeyWrapKwp: 0x210b,
  /** CloudHSM's own: CKM_VENDOR_DEFINED | CKM_AES_KEY_WRAP. */
  cloudHsmAesKeyWrapZeroPad: 0x8000_216f,
} as const;
