/** The part of the seam for the witnesses that a catalog leaves on tokens; the rest, and its rules, are in `native.ts`. */
import type { NativeResult } from './native.js';

/** Which catalog used a token last, and how far that had come (`native/src/witness.h`). */
export interface NativeWitness {
  /** 16 bytes. */
  incarnation: Uint8Array;
  /** At most 2^48. */
  epoch: number;
  /** Milliseconds since 1970. */
  writtenMs: number;
  /** Whose catalog it is, for people: at most 128 bytes of UTF-8. */
  deployment: string;
}

/** The methods of a `NativePool` for witnesses. Objects with a witness's name that have another form count for nothing. */
export interface NativeWitnesses {
  /** The cluster's witnesses on the member's token, in no order: more than one after a replacement that was broken off. At most 64 are read. */
  witnesses(member: number, clusterId: string, deadlineMs: number): Promise<NativeResult<NativeWitness[]>>;
  /**
   * Makes the witness, reads it back, and then destroys the cluster's others, at most 64. Those of the same incarnation with a higher epoch stay: another
   * process has written them. A search takes time that grows with the token's contents.
   */
  writeWitness(
    member: number,
    clusterId: string,
    witness: NativeWitness,
    deadlineMs: number,
  ): Promise<NativeResult<null>>;
}
