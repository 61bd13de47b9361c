import type { Secret } from '../secret.js';
import type { HsmCall } from '../calls/hsm-call.js';

/** The key-store port: what the core asks of a connected HSM cluster. Implemented by `hsm/`. */

/** A ciphertext with a known answer (see `keys/canary.ts`) that a handle must decrypt before it is used. */
export interface Canary {
  nonce: Uint8Array;
  /** Ciphertext with the 16-byte tag behind it. */
  ciphertext: Uint8Array;
}

/** The codes of AWS that an HSM cluster can cause (AWS KMS API Reference, CustomKeyStoresListEntry.ConnectionErrorCode). */
export const connectionErrorCodes = [
  'INVALID_CREDENTIALS',
  'CLUSTER_NOT_FOUND',
  'NETWORK_ERRORS',
  'INTERNAL_ERROR',
  'INSUFFICIENT_CLOUDHSM_HSMS',
  'USER_LOCKED_OUT',
  'USER_NOT_FOUND',
] as const;
/** One of `connectionErrorCodes`. */
export type ConnectionErrorCode = (typeof connectionErrorCodes)[number];

/** What is needed to use one key material. */
export interface MaterialReference {
  /** 64 lower-case hex digits; the CKA_ID. */
  materialId: string;
  /** CKA_LABEL. */
  label: string;
  extractable: boolean;
  canary: Canary;
}

/** What an AES-256-GCM encryption in a token gives. The additional data is not in it: whoever decrypts has it. */
export interface Sealed {
  /** 12 bytes from the token's RNG. */
  nonce: Uint8Array;
  /** Ciphertext with the 16-byte tag behind it. */
  ciphertext: Uint8Array;
}

/**
 * What a cluster asks before each try of an encryption: how often one material may still encrypt (invariant 9).
 * Only who does the tries can count them: a retry on another member encrypts again, under a nonce of its own, and
 * spending for the most tries that there may be would cost a key the greater part of its life. Canaries that are sealed
 * with a new material are not spent here; the limit leaves room for them.
 */
export interface EncryptionSpending {
  /** Without waiting, for the usual case. @returns whether it was spent; if not, `spend` decides. */
  trySpend(materialId: string): boolean;
  /** @throws KMS_INVALID_STATE when the budget is used up, KMS_INTERNAL when the catalog fails: then do not encrypt. */
  spend(materialId: string): Promise<void>;
}

/** What a cluster can be asked to do: what each operation takes, and what it gives. */
export interface ClusterOperations {
  /** Makes an AES-256 key (on one member: `replication: none` is all there is so far), seals its canary and proves it. */
  generateKeyMaterial: { request: { materialId: string; label: string }; result: Canary };
  /** Destroys every object with this CKA_ID on every member. Resolves when all members have answered; missing objects are no error. */
  destroyKeyMaterial: { request: { materialId: string }; result: undefined };
  encrypt: {
    request: { material: MaterialReference; plaintext: Secret; additionalData: Uint8Array };
    result: Sealed;
  };
  decrypt: {
    request: { material: MaterialReference; sealed: Sealed; additionalData: Uint8Array };
    result: Secret;
  };
  /** Random bytes made in the token and encrypted in the same crossing. */
  generateDataKey: {
    request: { material: MaterialReference; lengthBytes: number; additionalData: Uint8Array };
    result: { plaintext: Secret; sealed: Sealed };
  };
  random: { request: { lengthBytes: number }; result: Secret };
  /** Ids (hex) of all secret keys on each open member: what custody reports and clean-up compare with the catalog. */
  listMaterialIds: { request: object; result: MemberInventory[] };
}

/** The name of an operation of clusters. */
export type ClusterOperation = keyof ClusterOperations;
/** What an operation takes. */
export type ClusterRequest<Name extends ClusterOperation> = ClusterOperations[Name]['request'];
/** What an operation gives. */
export type ClusterResult<Name extends ClusterOperation> = ClusterOperations[Name]['result'];

/**
 * A connected cluster. Every operation takes an absolute deadline (`Clock.monotonicMs`) and always answers by then.
 *
 * Errors, all `HoldfastError`: `DEPENDENCY_TIMEOUT` (deadline), `CANCELLED` (by `HsmCall.cancellation`), `KEY_UNAVAILABLE` (no member takes work),
 * `LIMIT_EXCEEDED` (queue full), `THROTTLING` (over the quota), `KMS_INVALID_STATE` (the material is missing, ambiguous or not what the catalog says, or
 * its budget of encryptions is used up), `UNSUPPORTED_OPERATION` (longer than the HSM takes at a time),
 * `INVALID_CIPHERTEXT` (`decrypt` only, after the canary decrypted on the same handle), `KMS_INTERNAL`.
 */
export interface HsmCluster {
  readonly clusterId: string;
  perform<Name extends ClusterOperation>(
    operation: Name,
    request: ClusterRequest<Name>,
    call: HsmCall,
  ): Promise<ClusterResult<Name>>;
}

/** What one open member holds, of secret keys alone: their CKA_IDs in hex, also those that are not ours. */
export interface MemberInventory {
  memberName: string;
  materialIds: string[];
}

/** A cluster as configuration declares it. */
export interface ClusterDescription {
  clusterId: string;
  name: string;
  replication: 'none';
  minimumMembers: number;
  memberNames: string[];
  /** DER of the certificate that a custom key store's trust anchor is compared with. */
  trustAnchorDer: Uint8Array;
  /** Longest PIN in characters; the shortest is 7 (AWS's 7–32 unless the configuration widens it). */
  maximumPinLength: number;
}

/** How a connect ended. `errorCode` is what DescribeCustomKeyStores shows of a store that is FAILED by it. */
export type ConnectOutcome =
  | { connected: true; cluster: HsmCluster }
  | {
      connected: false;
      errorCode: ConnectionErrorCode;
      /** Worth trying again by itself: not a credential's fault. */
      transient: boolean;
      /** For the log. */
      cause: unknown;
    };

/** The clusters of the configuration, and the way to open and close them. One process connects a cluster at most once. */
export interface HsmClusters {
  describe(clusterId: string): ClusterDescription | undefined;
  list(): ClusterDescription[];
  /** Loads modules, finds tokens, logs in once per member, reads inventories. Never throws for an HSM's failure. */
  connect(clusterId: string, pin: Secret, credentialVersion: string, deadlineMs: number): Promise<ConnectOutcome>;
  /** Drains and closes. Harmless when it is not connected. */
  disconnect(clusterId: string, deadlineMs: number): Promise<void>;
}
