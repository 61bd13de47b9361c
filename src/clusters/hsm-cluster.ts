import type { Secret } from '../secret.js';
import type { HsmCall } from '../calls/hsm-call.js';
import type { Mechanism } from './mechanism.js';
import type { Witness } from './witness.js';

/** The port to a connected HSM cluster. Implemented by `hsm/`. */

/** The known answer that a handle must give before it is used: its form is that of the kind of key. */
export type Canary = EncryptionCanary | MacCanary;

/** Of an AES-256 key: a ciphertext with a known plaintext (see `keys/canary.ts`). */
export interface EncryptionCanary {
  nonce: Uint8Array;
  /** Ciphertext, followed by the 16-byte tag. */
  ciphertext: Uint8Array;
}

/** Of a key for MACs: its MAC of the empty message, for which no caller can ask. Its length says by which HMAC. */
export interface MacCanary {
  mac: Uint8Array;
}

/** The length of a key for MACs, and of all its MACs, in bytes: that of SHA-224, 256, 384 or 512. */
export type MacLength = 28 | 32 | 48 | 64;

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

/** The facts of one key material that its use requires. */
export interface MaterialReference {
  /** 64 lower-case hex digits; the CKA_ID. */
  materialId: string;
  /** CKA_LABEL. */
  label: string;
  extractable: boolean;
  canary: Canary;
}

/** The result of an AES-256-GCM encryption in a token. It omits the additional data, which whoever decrypts has. */
export interface EncryptedData {
  /** 12 bytes from the token's RNG. */
  nonce: Uint8Array;
  /** Ciphertext, followed by the 16-byte tag. */
  ciphertext: Uint8Array;
}

/**
 * Counts how often one material may still encrypt; a cluster asks before each attempt (invariant 9). Only the part that
 * makes the attempts can count them: a retry on another member encrypts again, under a nonce of its own, and spending
 * the maximum number of possible attempts in advance would cost a key most of its life. Encrypting the canary of a new
 * material spends nothing; the limit leaves room for it.
 */
export interface EncryptionSpending {
  /** Spends one without waiting, for the usual case. @returns whether it was spent; if not, `spend` decides. */
  trySpend(materialId: string): boolean;
  /** @throws KMS_INVALID_STATE when the budget is used up, KMS_INTERNAL when the catalog fails. Then do not encrypt. */
  spend(materialId: string): Promise<void>;
}

/** The operations of a cluster: the request and the result of each. */
export interface ClusterOperations {
  /**
   * Makes an AES-256 key on one member, or a key for MACs of `macLength`, has it give its canary and proves it. With `replication: wrapped` it is then copied
   * to all other members that take work, and each copy proves itself by the canary. Resolves once the cluster's
   * `minimumMembers` have proved the key. Never tried again: after a failure it is unknown what is on the tokens.
   * Rejects with UNSUPPORTED_OPERATION if a member that takes work lacks a mechanism of such keys.
   */
  generateKeyMaterial: {
    request: {
      materialId: string;
      label: string;
      macLength?: MacLength | undefined;
      /** Those that each member must have. */
      mechanisms?: readonly Mechanism[] | undefined;
    };
    result: GeneratedMaterial;
  };
  /**
   * Copies a material to a member that lacks it, and proves the copy. Only under the lease of the cluster: two processes
   * that do so at once would make two objects with one CKA_ID. If `isAbsent`, the caller has listed the member's
   * materials under this lease a short while ago; otherwise the member is searched, which takes time that grows with its
   * keys. Rejects with UNSUPPORTED_OPERATION without `replication: wrapped`.
   */
  copyKeyMaterial: {
    request: { material: MaterialReference; memberName: string; isAbsent?: boolean };
    result: { copied: boolean };
  };
  /**
   * Finds a material on one member, and proves its attributes and its canary now, whatever was proved before. A failure
   * is also an alert (`materialAlert`).
   */
  proveKeyMaterial: { request: { material: MaterialReference; memberName: string }; result: undefined };
  /**
   * Destroys all but one of several objects that are one material's key on a member, if each proves itself. Only under the lease
   * of the cluster, and while another member has the key. Rejects with KMS_INVALID_STATE, and destroys nothing, if an object
   * is not the material's key; with UNSUPPORTED_OPERATION without `replication: wrapped`.
   */
  resolveDuplicates: { request: { material: MaterialReference; memberName: string }; result: { destroyed: number } };
  /**
   * Wraps a material under the wrapping key of a generation, on any member that has both; undefined if all members of the
   * cluster are open and none has the material. The blob is no secret. Rejects with UNSUPPORTED_OPERATION without
   * `replication: wrapped`, as do the next two.
   */
  wrapKeyMaterial: {
    request: { material: MaterialReference; generation: number };
    result: Uint8Array | undefined;
  };
  /** HMAC-SHA-256 under the backup key of a generation; left out: of the one in use. */
  makeBackupMac: {
    request: { data: Uint8Array; generation?: number | undefined };
    result: { mac: Uint8Array; generation: number };
  };
  /**
   * Proves that a blob holds the material: unwraps it as a session object on any member with the generation's keys, decrypts
   * the canary, and destroys the object. It touches no key in use.
   */
  proveWrappedKeyMaterial: {
    request: { material: MaterialReference; generation: number; blob: Uint8Array };
    result: undefined;
  };
  /**
   * Wraps the key of a blob under another generation's wrapping key, on any member that has both. Rejects with KEY_UNAVAILABLE
   * if no member that takes work has both.
   */
  rewrapKeyMaterial: {
    request: { material: MaterialReference; generation: number; blob: Uint8Array; toGeneration: number };
    result: Uint8Array;
  };
  /**
   * As `copyKeyMaterial`, from a blob instead of another member. The member must have the generation's wrapping keys.
   */
  restoreKeyMaterial: {
    request: ClusterOperations['copyKeyMaterial']['request'] & { generation: number; blob: Uint8Array };
    result: { copied: boolean };
  };
  /**
   * Destroys every object with this CKA_ID on every member, or on the named one. Resolves when all members have
   * answered; missing objects are not an error.
   */
  destroyKeyMaterial: { request: { materialId: string; memberName?: string | undefined }; result: undefined };
  encrypt: {
    request: { material: MaterialReference; plaintext: Secret; additionalData: Uint8Array };
    result: EncryptedData;
  };
  decrypt: {
    request: { material: MaterialReference; encrypted: EncryptedData; additionalData: Uint8Array };
    result: Secret;
  };
  /** Random bytes, made in the token and encrypted in the same call to the addon. */
  generateDataKey: {
    request: { material: MaterialReference; lengthBytes: number; additionalData: Uint8Array };
    result: { plaintext: Secret; encrypted: EncryptedData };
  };
  /**
   * The MAC of a message, by the HMAC of the key's length. `expected`: the MAC that the caller wants to verify. If the right
   * one differs, the key has proved itself once more before the answer; the caller of this compares, in constant time.
   */
  mac: {
    request: { material: MaterialReference; message: Secret; expected?: Uint8Array | undefined };
    result: Secret;
  };
  random: { request: { lengthBytes: number }; result: Secret };
  /**
   * Ids (hex) of all secret keys on each open member. Custody reports and clean-up compare them with the catalog; so
   * does a wrapped cluster, which then knows which members lack which materials. With a name, of that member alone.
   */
  listMaterialIds: { request: { memberName?: string }; result: MemberInventory[] };
  /** The witnesses on an open member; those that have another form count for nothing. */
  readWitnesses: { request: { memberName: string }; result: Witness[] };
  /**
   * Replaces the witnesses on an open member: the new one is there before the old ones go. One of the same incarnation
   * with a higher epoch stays. Beside reads and writes of other processes.
   */
  writeWitness: { request: { memberName: string; witness: Witness }; result: undefined };
  /** The names of the members that are open. It asks no HSM. */
  listOpenMembers: { request: Record<string, never>; result: string[] };
}

/** A new key material. */
export interface GeneratedMaterial {
  canary: Canary;
  /** Whether it can leave its token (under a trusted wrapping key). */
  extractable: boolean;
  /** The members that have proved it. */
  memberNames: string[];
}

/** The name of an operation of clusters. */
export type ClusterOperation = keyof ClusterOperations;
/** The request of an operation. */
export type ClusterRequest<Name extends ClusterOperation> = ClusterOperations[Name]['request'];
/** The result of an operation. */
export type ClusterResult<Name extends ClusterOperation> = ClusterOperations[Name]['result'];

/**
 * A connected cluster. Every operation takes an absolute deadline (`Clock.monotonicMs`) and always answers by then.
 *
 * Errors, all `HoldfastError`: `DEPENDENCY_TIMEOUT` (deadline), `CANCELLED` (by `HsmCall.cancellation`),
 * `KEY_UNAVAILABLE` (no member takes work), `LIMIT_EXCEEDED` (queue full), `THROTTLING` (over the quota),
 * `KMS_INVALID_STATE` (the material is missing, ambiguous or not what the catalog says, or its budget of encryptions is
 * used up), `UNSUPPORTED_OPERATION` (longer than the HSM takes at a time), `INVALID_CIPHERTEXT` (`decrypt` only, after
 * the canary decrypted on the same handle), `CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION` (making and copying keys: too few
 * members have the wrapping keys in use), `KMS_INTERNAL`.
 */
export interface HsmCluster {
  readonly clusterId: string;
  perform<Name extends ClusterOperation>(
    operation: Name,
    request: ClusterRequest<Name>,
    call: HsmCall,
  ): Promise<ClusterResult<Name>>;
}

/** The secret keys on one open member. */
export interface MemberInventory {
  memberName: string;
  /** Their CKA_IDs, in hex, including those of foreign keys. One that several objects have is there as many times. */
  materialIds: string[];
  /** Whether it has the wrapping keys in use, and can receive copies. Always false without `replication: wrapped`. */
  isCurrent: boolean;
  /** The generations of wrapping keys that it has, ascending. None without `replication: wrapped`. */
  generations: number[];
}

/** A cluster as the configuration declares it. */
export interface ClusterDescription {
  clusterId: string;
  name: string;
  replication: 'none' | 'wrapped' | 'vendor';
  /** Whether every member enforces trust (docs/decisions/0016); undefined unless it is wrapped. */
  trust?: 'enforced' | 'unenforced' | undefined;
  minimumMembers: number;
  memberNames: string[];
  /** DER of the certificate that a custom key store's trust anchor must equal. */
  trustAnchorDer: Uint8Array;
  /** Maximum PIN length in characters; the minimum is 7 (AWS's 7–32 unless the configuration widens it). */
  maximumPinLength: number;
  /** What its members ask of a PIN. */
  pinRules: PinRules;
}

/** A PIN that all members of a cluster accept, as far as they were seen. */
export interface PinRules {
  /** The characters of a random one. */
  alphabet: string;
  /** How many a random one should have. */
  length: number;
  /** The limits of their tokens, in bytes; null: unknown. */
  minimumBytes: number | null;
  maximumBytes: number | null;
}

/** The result of a connect. DescribeCustomKeyStores shows `errorCode` for a store that FAILED because of it. */
export type ConnectOutcome =
  | { connected: true; cluster: HsmCluster }
  | {
      connected: false;
      errorCode: ConnectionErrorCode;
      /** Whether to retry without a caller, because the credential is not at fault. */
      transient: boolean;
      /** The actual cause, for the log. */
      cause: unknown;
    };

/** The clusters of the configuration, and how to open and close them. One process connects a cluster at most once. */
export interface HsmClusters {
  describe(clusterId: string): ClusterDescription | undefined;
  list(): ClusterDescription[];
  /**
   * Loads modules, finds tokens, logs in once per member, reads inventories. Never throws for an HSM's failure.
   * @param needs how many members must open: the cluster's `minimumMembers`, or one
   */
  connect(
    clusterId: string,
    pin: Secret,
    credentialVersion: string,
    deadlineMs: number,
    needs?: 'minimum' | 'one',
  ): Promise<ConnectOutcome>;
  /** Drains and closes. Harmless if it is not connected. */
  disconnect(clusterId: string, deadlineMs: number): Promise<void>;
}
