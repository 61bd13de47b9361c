/**
 * The seam between TypeScript and the addon: every function, every transfer type, in the order of `native/src/addon.cc`.
 *
 * Rules: `null` means "none" and `undefined` never crosses; no optional properties; TypeScript checks and explains, C++ assumes checked input and
 * asserts. Byte strings are `Uint8Array`; object handles never cross (they live in the addon, per member and session epoch). Deadlines are absolute,
 * in milliseconds of `process.hrtime` (CLOCK_MONOTONIC).
 */
import { createRequire } from 'node:module';
import type { NativeAnswers, NativeDataOperations } from './native-answers.js';
import type { NativeCeremonies, NativeGeneration } from './native-ceremony.js';
import type { NativeKeyWrapping } from './native-key-wrapping.js';
import type { NativeWitnesses } from './native-witness.js';
import type { NativeMemberStatistics } from './native-statistics.js';
import type { NativeProfile } from './native-profile.js';
import type { NativeProcess } from './native-process.js';
import type { NativeReturnValue } from './native-return-value.js';

/** How to load one PKCS#11 module (PKCS#11 v2.40 §5.1, §5.4). */
export interface NativeModuleOptions {
  /** Absolute path of the library as the operator configured it. */
  libraryPath: string;
  /** Load a private copy of the library file, which can be finalised while its neighbours work. */
  privateInstance: boolean;
  /** Environment variables that are set while the library is loaded, in `C_GetFunctionList` and in `C_Initialize`. */
  environment: Record<string, string>;
  /** `CK_C_INITIALIZE_ARGS.pReserved` (NSS wants its configuration there), or null. */
  initializationString: string | null;
}

/** A token's description of itself (`C_GetTokenInfo`, `C_GetMechanismList`), and that of its module (`C_GetInfo`). Texts are trimmed of padding. */
export interface NativeTokenInfo {
  /** `CK_INFO.manufacturerID` and `libraryDescription`: the module's maker. Empty if `C_GetInfo` fails. */
  libraryManufacturer: string;
  libraryDescription: string;
  /** Major and minor, e.g. 2.6. */
  libraryVersion: string;
  slotId: bigint;
  label: string;
  serialNumber: string;
  manufacturer: string;
  model: string;
  firmwareVersion: string;
  /** `CK_TOKEN_INFO.flags`, e.g. CKF_USER_PIN_COUNT_LOW 0x10000, FINAL_TRY 0x20000, LOCKED 0x40000. */
  flags: number;
  /** `ulMinPinLen` and `ulMaxPinLen`, in bytes; null if the token says nothing. */
  minPinLength: number | null;
  maxPinLength: number | null;
  /** Maximum number of sessions; null if the token says "unlimited" or nothing. */
  maxSessionCount: number | null;
  /** Maximum number of read-write sessions; null likewise. */
  maxRwSessionCount: number | null;
  /** Sessions that are open now, of all applications if the token reports them; otherwise null. */
  sessionCount: number | null;
  rwSessionCount: number | null;
  mechanisms: number[];
}

/** How a member finds its token: by exactly one of label and serial number, never by slot number. */
export interface NativeMemberOptions {
  module: NativeModuleOptions;
  tokenLabel: string | null;
  tokenSerialNumber: string | null;
  /** Lanes (threads, each with one session) to run. */
  laneCount: number;
  /** Maximum number of hung lanes that are replaced before the member stops taking work. */
  maxQuarantinedLanes: number;
  /** Maximum number of module instances of the member that may still hang when it is reopened. */
  maxStuckOpenings: number;
}

/** One object that the inventory pass saw (one `C_FindObjects` pass, then CKA_CLASS, CKA_ID, CKA_LABEL). */
export interface NativeInventoryEntry {
  objectClass: number;
  id: Uint8Array;
  label: string;
}

/** The required attributes of a key material, and its known answer, checked before its handle is used (invariant 3). */
export interface NativeMaterial {
  /** CKA_CLASS: one of `CK_OBJECT_CLASS`. With the id it names the object; the keys of a pair share their id. */
  objectClass: number;
  /** CKA_ID, 32 bytes. */
  id: Uint8Array;
  /** CKA_LABEL that the object must carry. */
  label: string;
  /** CKA_EXTRACTABLE that the object must have. CKA_SENSITIVE must be true, CKA_NEVER_EXTRACTABLE the opposite of it. */
  extractable: boolean;
  /** Canary of a key for MACs: its MAC of the empty message, 28, 32, 48 or 64 bytes. Null: an AES key, whose canary the next four are. */
  canaryMac: Uint8Array | null;
  /** Canary of an AES key: AES-GCM nonce, ciphertext with its 16-byte tag, additional data, and the plaintext it must give. Otherwise empty. */
  canaryNonce: Uint8Array;
  canaryCiphertext: Uint8Array;
  canaryAdditionalData: Uint8Array;
  canaryPlaintext: Uint8Array;
}

/** A `NativeMaterial` copied into the addon once: an operation passes a reference, not all fields. */
export interface NativeMaterialReference {
  readonly nativeMaterial: unique symbol;
}

/** The attributes of one object, read from the token (for proofs of custody and tests). */
export interface NativeKeyAttributes {
  label: string;
  keyType: number;
  valueLength: number | null;
  sensitive: boolean;
  alwaysSensitive: boolean;
  extractable: boolean;
  neverExtractable: boolean;
  local: boolean;
  isPrivate: boolean;
  isToken: boolean;
  modifiable: boolean;
  encrypt: boolean;
  decrypt: boolean;
  sign: boolean;
  verify: boolean;
  wrap: boolean;
  unwrap: boolean;
  derive: boolean;
  wrapWithTrusted: boolean;
}

/** A result, the member (by index) and session epoch that gave it, and its times. */
export interface NativeResult<T> {
  member: number;
  epoch: number;
  value: T;
  /** When a lane took it, in milliseconds of `process.hrtime`, and how long it held the lane: the token's calls and little else. */
  startedMs: number;
  laneMs: number;
}

/** The result of an encryption. The nonce has 12 bytes. */
export interface NativeEncryptedData {
  nonce: Uint8Array;
  /** Ciphertext, followed by the 16-byte tag. */
  ciphertext: Uint8Array;
}

/**
 * Why an operation failed, beyond its CK_RV.
 * - `rv`: a PKCS#11 function answered `rv` (and, for a decryption, the canary did decrypt on that handle just before or after).
 * - `bad-output`: `functionName` answered CKR_OK with an impossible output, which was not used: a failure of the HSM, whatever the request.
 * - `queue-deadline`: the deadline passed while it waited, in the queue (the token was not touched) or for another lane's work on the same key; no
 *   lane is lost.
 * - `overdue`: the deadline passed inside a PKCS#11 call that has run for less than the pool's operation timeout: nothing is known of the HSM, and
 *   the lane continues. The result of the call is discarded.
 * - `cancelled`: `cancel` was called. If it still waited, the token was not touched.
 * - `lane-deadline`: the deadline and the pool's operation timeout passed inside a PKCS#11 call; the lane is quarantined.
 * - `material-missing`: the token is alive and logged in, and has no such object.
 * - `material-ambiguous`: more than one object has this CKA_ID and class.
 * - `material-mismatch`: the object's attributes differ from the catalog.
 * - `canary-failed`: the handle did not decrypt the material's canary, even after the HSM had worked with another key.
 * - `key-refused`: `functionName` answered `rv` for this key, even after the HSM had worked with another one; or its own ciphertext does not decrypt.
 * - `self-test-failed`: other keys fail too, those that had worked or a new one made for this test, or it decrypted a forged canary: the HSM is ill;
 *   nothing is known of the material.
 * - `look-up-failed`: `functionName`, which searches or reads attributes, answered `rv` for this key and fails for others too: the HSM is ill, and
 *   works with the keys that have proved themselves.
 * - `handle-revoked`: while it encrypted, another lane saw that the handle is no longer this key's; the ciphertext is discarded, and the next
 *   operation finds the key anew.
 * - `queue-full`, `no-member` (none of its members admitted, or not open), `closed`, `module` (the library cannot be used), `lock` (a file lock that cannot be made,
 *   or a directory that is not only ours), `lock-held` (by another process at the deadline), `token-missing` (also if several have the label).
 * - `module-in-use`: without a private instance, if the process has the library with another environment or initialisation string.
 * - `stuck`: more module instances of the member hang than `maxStuckOpenings`; only a new process gets rid of them.
 * - `too-long`: more than `NativeProfile.maximumGcmBytes`; the token was not touched.
 */
export type NativeFailureKind =
  | 'rv'
  | 'bad-output'
  | 'queue-deadline'
  | 'overdue'
  | 'cancelled'
  | 'lane-deadline'
  | 'material-missing'
  | 'material-ambiguous'
  | 'material-mismatch'
  | 'canary-failed'
  | 'key-refused'
  | 'self-test-failed'
  | 'look-up-failed'
  | 'handle-revoked'
  | 'queue-full'
  | 'no-member'
  | 'closed'
  | 'module'
  | 'module-in-use'
  | 'lock'
  | 'lock-held'
  | 'token-missing'
  | 'too-long'
  | 'stuck';

/** Every failure of a data operation, and every rejection of a promise below, is an Error with these properties. */
export interface NativeFailure extends Error {
  kind: NativeFailureKind;
  /** CK_RV, or 0 if there is none. */
  rv: number;
  /** The PKCS#11 function that answered, or ''. */
  functionName: string;
  /** A decryption failed, and the canary decrypted afterwards on that handle (invariant 5). If `functionName` is empty, no HSM was asked. */
  callerFault: boolean;
  /** Kind `rv`: key and HSM worked afterwards, so the HSM is not at fault. The request may be, or the fault was brief. */
  hsmCleared: boolean;
  /** Set for `onHung`: whether the hanging call uses a key. Calls that make, destroy or list keys do not. */
  isOfUse: boolean;
  /** Index of the member; -1 if the operation was for several and reached none. */
  member: number;
  epoch: number;
}

/** An exclusive `flock` that serialises initialise-and-login across processes. */
export interface NativeLock {
  /** Releases JavaScript's hold: a call into the module that was given the lock keeps it until the call has returned. */
  release(): void;
  /** The lock as the addon takes it. */
  readonly held: unknown;
}

/**
 * The members that may run an operation: any admitted one (`null`), any admitted one of these, or one by name, even if it is suspended. Named work
 * goes before other work of that member. Otherwise a member's lanes take the oldest operation that they may run. An operation that is not posted by
 * name is rejected with `no-member` when the last of its members is suspended or closes.
 */
export type NativeMembers = number | readonly number[] | null;

/**
 * The lanes of all members of one cluster. Members are named by the index that `addMember` and `openMember` give. Every method on a closed pool
 * fails with kind `closed`.
 */
export interface NativePool extends NativeDataOperations, NativeKeyWrapping, NativeWitnesses {
  /**
   * How long a call may run, whatever its request's deadline, before its lane is quarantined. If a request's deadline falls in the
   * last tenth of that time, its lane is quarantined at the deadline. A lane that opens its first session has the same time. If this is not set, or is
   * 0, a call may run until its request's deadline. `onHung` is called for lanes whose request
   * already had its answer (kind `lane-deadline`), until the pool is closed. Throws a NativeFailure of kind `closed`.
   */
  setOperationTimeout(operationTimeoutMs: number, onHung: (failure: NativeFailure) => void): void;
  /** Declares a member, which `reopenMember` opens. Throws a NativeFailure of kind `closed`, or `no-member` if the pool has 64 of them. */
  addMember(options: NativeMemberOptions): number;
  /** `addMember`, then loads the module, calls `C_Initialize` and finds the token. Opens no lane and never logs in. If it fails the member is closed. */
  openMember(options: NativeMemberOptions, deadlineMs: number): Promise<{ member: number; token: NativeTokenInfo }>;
  /**
   * Reopens a member (or opens it for the first time) under its old index: it is suspended, its lanes end, its sessions close, and the module is
   * finalised if no thread is inside and no other member uses the instance; then as `openMember`. Threads that hang inside are abandoned after a
   * quarter of the time; a private instance is then loaded as a fresh copy. Rejects with `stuck` if too much was abandoned already. After a failure
   * the member is not open. Never logs in.
   */
  reopenMember(member: number, deadlineMs: number): Promise<{ member: number; token: NativeTokenInfo }>;
  /**
   * The differences of this member's token from others, from its next login on. Without it the token counts as unknown. `laneCount` replaces the
   * count (and the maximum number of quarantined lanes) of its options, now that the token is known. Throws a NativeFailure of kind `closed`.
   */
  setProfile(member: number, profile: NativeProfile, laneCount: number): void;
  /**
   * `C_Login` once (CKU_USER), then opens the lanes; the member starts suspended. The PIN copy is zeroed before the promise settles (or, if `C_Login`
   * hangs, when it returns). Rejects if a lane cannot open its session, unless the token has no more. Called again on a member that is logged in, it
   * begins a new epoch: fresh sessions, empty handle cache. Epochs are numbered through the whole process. `attempt` (of `acquireLoginLock`; null
   * without a lock) is held until `C_Login` has returned. A call that hangs earlier releases the lock at the deadline, and never
   * logs in.
   */
  loginMember(
    member: number,
    pin: Uint8Array,
    deadlineMs: number,
    attempt: NativeLock | null,
  ): Promise<{ epoch: number }>;
  /** Reads the whole token once and fills the member's handle cache. */
  inventory(member: number, deadlineMs: number): Promise<NativeInventoryEntry[]>;
  /** A fresh `C_GetTokenInfo` of a member. */
  tokenInfo(member: number, deadlineMs: number): Promise<NativeTokenInfo>;
  /**
   * Suspends the member; running work and work posted to it by name continue. Other waiting work is rejected with `no-member` if this was the last of
   * its members. Throws a NativeFailure of kind `closed`, as `resume` does.
   */
  suspend(member: number): void;
  /** Admits the member. */
  resume(member: number): void;
  /**
   * Drains the member's lanes until the deadline, closes its sessions, finalises a private instance when no lane is inside. Rejects with
   * `lane-deadline` if a lane still is; the member is closed anyway, and finalised when that lane returns.
   */
  closeMember(member: number, deadlineMs: number): Promise<null>;
  /** As `closeMember`, but `reopenMember` may open it again. What is posted to it by name is rejected with `no-member`. */
  detachMember(member: number, deadlineMs: number): Promise<null>;
  /** Closes all members; later calls are refused with kind `closed`. Resolves with the number of threads still in a module, whatever they do. */
  close(deadlineMs: number): Promise<number>;

  /**
   * Answers a data operation that has no answer yet with `cancelled`. If it waits, the token never sees it. If it runs, its lane goes on
   * and its result is thrown away. Harmless for one that is answered, and on a closed pool.
   */
  cancel(ticket: number): void;

  /** State for describe, metrics and tests; members that are closed or closing are left out. */
  statistics(): NativeMemberStatistics[];

  /**
   * Makes an AES-256 key (CKM_AES_KEY_GEN) with every attribute explicit, reads them back, encrypts its canary and decrypts it, all through the
   * handle from the token. `id`: 32 random bytes drawn for this key, so no search is needed to show that no other object has it. An `extractable`
   * key has CKA_WRAP_WITH_TRUSTED: it leaves the token only under a trusted wrapping key.
   */
  generateKey(
    members: NativeMembers,
    id: Uint8Array,
    label: string,
    canaryPlaintext: Uint8Array,
    canaryAdditionalData: Uint8Array,
    extractable: boolean,
    deadlineMs: number,
  ): Promise<NativeResult<NativeEncryptedData>>;
  /**
   * As `generateKey`, a key for MACs (CKM_GENERIC_SECRET_KEY_GEN) that may do nothing else. `length` in bytes, of the key and of its MACs: 28, 32, 48
   * or 64. Resolves with its MAC of the empty message.
   */
  generateMacKey(
    members: NativeMembers,
    id: Uint8Array,
    label: string,
    length: number,
    extractable: boolean,
    deadlineMs: number,
  ): Promise<NativeResult<Uint8Array>>;
  /** Destroys every object with this class and CKA_ID; resolves with how many there were. */
  destroyKey(member: number, objectClass: number, id: Uint8Array, deadlineMs: number): Promise<NativeResult<number>>;
  /** Attributes of every object with this class and CKA_ID. */
  readAttributes(
    member: number,
    objectClass: number,
    id: Uint8Array,
    deadlineMs: number,
  ): Promise<NativeResult<NativeKeyAttributes[]>>;

  /**
   * The cluster's generations whose mark the member's token has, with all their keys and those keys' attributes, ascending. Anyone who reaches the
   * token can plant a mark; a generation with two marks that differ is left out.
   */
  generations(member: number, clusterId: string, deadlineMs: number): Promise<NativeResult<NativeGeneration[]>>;
  /** Proves the material on one member (find, attributes, canary), even if it is suspended: the half-open probe. */
  probe(member: number, material: NativeMaterialReference, deadlineMs: number): Promise<NativeResult<null>>;
}

/** Writes to a file on a thread of its own (`native/src/file_writer.h`). The loop stays alive while a text is being written. */
export interface NativeFileWriter {
  /** Copies the text, as UTF-8. One at a time: the listener must have been called for the one before. */
  write(fileDescriptor: number, text: string): void;
  /** Ends the thread when its present write is done. The listener is not called any more. */
  close(): void;
}

/** The exports of `holdfast.node` (`native/src/addon.cc`). One for the process, from `loadAddon`. */
export interface NativeAddon extends NativeAnswers, NativeCeremonies, NativeProcess {
  /** The whole table of return values. */
  returnValues(): NativeReturnValue[];
  /**
   * Waits for the file lock of this module (keyed by its real path, environment and initialisation string) in `directory`, which is created if
   * missing and must be 0700 and ours.
   */
  acquireModuleLock(module: NativeModuleOptions, directory: string, deadlineMs: number): Promise<NativeLock>;
  /** Waits in the same way for the file lock of one PIN (`version` of a credential) on one token. Fails with kind `lock-held` at the deadline. */
  acquireLoginLock(serialNumber: string, version: string, directory: string, deadlineMs: number): Promise<NativeLock>;
  /** Loads a module and describes the tokens in its slots. Never logs in. */
  listTokens(module: NativeModuleOptions, deadlineMs: number): Promise<NativeTokenInfo[]>;
  /** A pool; `queueLimit` is the maximum number of operations that wait in it. */
  createPool(queueLimit: number): NativePool;
  /** Copies the required attributes and the known answer of a material into the addon. */
  createMaterial(material: NativeMaterial): NativeMaterialReference;
  /** A writer; its listener is given the written bytes, and the errno that stopped the rest or 0. Throws if the system has no more threads. */
  createFileWriter(onWritten: (writtenBytes: number, errno: number) => void): NativeFileWriter;
}

const require = createRequire(import.meta.url);

let addon: NativeAddon | undefined;

/** The addon, loaded at first use (the CLI starts without it). */
export function loadAddon(): NativeAddon {
  addon ??= require('../../native/build/Release/holdfast.node') as NativeAddon;
  return addon;
}
