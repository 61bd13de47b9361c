/** The part of the seam for vendor profiles. The rest of the seam, and its rules, are in `native.ts`. */

/** The parts of a vendor profile that the operations need (`hsm/profiles`). */
export interface NativeProfile {
  /** AES-GCM: 12 zero bytes are passed as IV, and the token's own nonce is read back from there. Otherwise the nonce is drawn from its RNG. */
  tokenMakesNonces: boolean;
  /** Templates of keys may have CKA_COPYABLE (PKCS#11 v2.40). It is also left out if the token answers it with CKR_ATTRIBUTE_TYPE_INVALID. */
  knowsCopyable: boolean;
  /** Maximum number of plaintext bytes in one AES-GCM operation, or null for no limit. */
  maximumGcmBytes: number | null;
  /** The mechanism of AES key wrap with padding (RFC 5649): CKM_AES_KEY_WRAP_KWP of PKCS#11 v3.0, or the module's own number for it. */
  keyWrapWithPadding: number;
  /** RSA-OAEP with which cluster keys travel to this token: its hash (CK_MECHANISM_TYPE) and its mask (CKG_MGF1_…). */
  oaepHash: number;
  oaepMask: number;
  /** CKA_PRIVATE of the cluster keys. */
  clusterKeysArePrivate: boolean;
  /** Token keys may have CKA_ALLOWED_MECHANISMS, generated ones have CKA_LOCAL, marks are public keys: `hsm/profiles`. */
  knowsAllowedMechanisms: boolean;
  reportsLocal: boolean;
  marksArePublicKeys: boolean;
}
