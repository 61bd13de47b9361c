/**
 * The part of the seam that is on the path of every request. The answers of these operations come packed: one call
 * delivers all that are ready. The rest of the seam, and its rules, are in `native.ts`.
 */
import type { NativeFailure, NativeMaterialReference, NativeMembers } from './native.js';

/**
 * The columns of an answer's row in `numbers`; the same as `AnswerBatch::Column` in native/src/answer_batch.h. `offset`
 * is that of the first byte: `encryptedLength` bytes (a nonce of 12, the ciphertext, its tag of 16), then `secretLength`
 * bytes (a plaintext, a data key, a MAC, random bytes). `startedMs` is when a lane took the operation, in milliseconds of
 * `process.hrtime`, `laneMs` how long it held the lane.
 */
export const answerColumns = {
  ticket: 0,
  member: 1,
  epoch: 2,
  startedMs: 3,
  laneMs: 4,
  offset: 5,
  encryptedLength: 6,
  secretLength: 7,
} as const;

/** The numbers in a row. */
export const answerRowLength = 8;

/** The length of a GCM nonce in bytes. */
export const nonceLength = 12;

/** The methods of a `NativePool` whose answers come packed, to the functions that `receiveAnswers` was given. */
export interface NativeDataOperations {
  /** Takes a 12-byte nonce of the token's RNG (drawn ahead in blocks, each used once) and encrypts (CKM_AES_GCM, 128-bit tag) in one call. */
  encrypt(
    ticket: number,
    members: NativeMembers,
    material: NativeMaterialReference,
    plaintext: Uint8Array,
    additionalData: Uint8Array,
    deadlineMs: number,
  ): void;
  /** Decrypts. After any failure of `C_Decrypt`, whatever its code, the canary is tried on the same handle. */
  decrypt(
    ticket: number,
    members: NativeMembers,
    material: NativeMaterialReference,
    nonce: Uint8Array,
    ciphertext: Uint8Array,
    additionalData: Uint8Array,
    deadlineMs: number,
  ): void;
  /** Draws `length` bytes from the token's RNG and encrypts them in the same call. */
  generateDataKey(
    ticket: number,
    members: NativeMembers,
    material: NativeMaterialReference,
    length: number,
    additionalData: Uint8Array,
    deadlineMs: number,
  ): void;
  /**
   * The MAC of a message under a material with `canaryMac`. With an `expected` MAC that differs from it, the canary is
   * tried on the same handle before the answer.
   */
  mac(
    ticket: number,
    members: NativeMembers,
    material: NativeMaterialReference,
    message: Uint8Array,
    expected: Uint8Array | null,
    deadlineMs: number,
  ): void;
  /** Draws `length` bytes from the token's RNG. */
  random(ticket: number, members: NativeMembers, length: number, deadlineMs: number): void;
}

/** The exports of the addon for packed answers. */
export interface NativeAnswers {
  /**
   * Gives this environment (main thread or worker thread) its receivers; call it before the first operation. Answers
   * that find none are dropped. Each operation is answered exactly once, in the order in which they finish, by one of:
   * - `onAnswers`: the first `count` rows of `numbers`, and their `bytes`. Both are the addon's again when it returns, and
   *   secret bytes are zeroed then. `bytes` is the given array, or another one for an answer that is longer. If there
   *   are more answers than fit, it is called again at once.
   * - `onFailure`: one failure.
   *
   * What they throw becomes an uncaught exception, and the other answers still come. Neither keeps the event loop
   * alive; an operation without an answer does.
   */
  receiveAnswers(
    numbers: Float64Array,
    bytes: Uint8Array,
    onAnswers: (count: number, bytes: Uint8Array) => void,
    onFailure: (ticket: number, failure: NativeFailure) => void,
  ): void;
}
