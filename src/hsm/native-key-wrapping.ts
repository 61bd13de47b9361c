/** The part of the seam by which keys travel between the members of a wrapped cluster; the rest, and its rules, are in `native.ts`. */
import type { NativeMaterialReference, NativeResult } from './native.js';

/** The methods of a `NativePool` that use the cluster's wrapping keys (docs/decisions/0016). */
export interface NativeKeyWrapping {
  /**
   * Proves the key and wraps it under the wrapping key of this generation of the cluster: RFC 5649, which is deterministic. The blob is no secret.
   * Rejects with `material-missing` or `material-mismatch`, under the material's name, if the wrapping key is not there or lacks an attribute.
   */
  wrapKey(
    member: number,
    material: NativeMaterialReference,
    clusterId: string,
    generation: number,
    deadlineMs: number,
  ): Promise<NativeResult<Uint8Array>>;
  /**
   * Makes the material's key of a blob, as a token object, and proves it by its attributes and its canary; resolves with how many keys it made: 0 if
   * the token had it, and it has proved itself. For an `isNew` material, which the caller knows not to be on this token, that is not looked up: a
   * search takes time that grows with the token's contents. One that does not prove itself, or came too late, is destroyed again. Never at the same time in two
   * processes for the same material: the token would have two objects.
   */
  unwrapKey(
    member: number,
    material: NativeMaterialReference,
    clusterId: string,
    generation: number,
    blob: Uint8Array,
    isNew: boolean,
    deadlineMs: number,
  ): Promise<NativeResult<number>>;
  /**
   * Destroys all but one of several objects that are the material's key; `value` is how many. Rejects if one of them does not
   * prove itself: then nothing is destroyed. Not beside another process's for the same material.
   */
  resolveDuplicates(
    member: number,
    material: NativeMaterialReference,
    deadlineMs: number,
  ): Promise<NativeResult<number>>;
  /**
   * HMAC-SHA-256 of the data, under the backup key of this generation of the cluster. Rejects with `material-missing` or
   * `material-mismatch`, as `wrapKey` does.
   */
  backupMac(
    member: number,
    clusterId: string,
    generation: number,
    data: Uint8Array,
    deadlineMs: number,
  ): Promise<NativeResult<Uint8Array>>;
  /**
   * Makes the material's key of a blob as a session object, proves it by its attributes and its canary, and destroys it.
   * No key in use is touched: the object has no CKA_ID.
   */
  proveBlob(
    member: number,
    material: NativeMaterialReference,
    clusterId: string,
    generation: number,
    blob: Uint8Array,
    deadlineMs: number,
  ): Promise<NativeResult<null>>;
  /**
   * Wraps the material's key of a blob under the keys of another generation: for members that lack the first. The key is a
   * session object in between, and proves itself. Rejects with `material-missing` if this member lacks one of the two.
   */
  rewrapBlob(
    member: number,
    material: NativeMaterialReference,
    clusterId: string,
    fromGeneration: number,
    blob: Uint8Array,
    toGeneration: number,
    deadlineMs: number,
  ): Promise<NativeResult<Uint8Array>>;
}
