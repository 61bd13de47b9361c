/**
 * The part of the seam for ceremonies: a person with the security officers' PINs gives all members of a cluster the same
 * keys. Offline; a server only reads generations. The rest of the seam, and its rules, are in `native.ts`.
 */
import type { NativeModuleOptions, NativeTokenInfo } from './native.js';
import type { NativeProfile } from './native-profile.js';

/** A member that takes part. It finds its token by exactly one of label and serial number. */
export interface NativeCeremonyMember {
  /** Its name in the configuration. */
  name: string;
  module: NativeModuleOptions;
  tokenLabel: string | null;
  tokenSerialNumber: string | null;
  profile: NativeProfile;
  maker: NativeKeyMaker;
}

/**
 * Who makes the cluster keys of a member: its officer, its user, or its user as keys that an officer then marks as
 * trusted. The PIN for `logIn` is that of the officer or the user.
 */
export type NativeKeyMaker = 'officer' | 'user' | 'user-then-officer';

/** For comparison with what the HSM's console or the vendor's attestation shows. */
export interface NativeCarryKeyFingerprint {
  member: string;
  serialNumber: string;
  /** SHA-256 of the SubjectPublicKeyInfo of the member's carry key: 32 bytes. */
  fingerprint: Uint8Array;
}

/** A generation whose mark a token has. */
export interface NativeGeneration {
  /** From 1 on. */
  number: number;
  /** Says which keys they are: 32 bytes, the same on all members. */
  digest: Uint8Array;
  /** Whether every member must enforce trust. */
  enforced: boolean;
}

/** A cluster key that an officer has not marked as trusted yet. */
export interface NativeUnmarkedKey {
  member: string;
  serialNumber: string;
  /** CKA_LABEL, and CKA_ID, which has the same bytes. */
  label: string;
  id: Uint8Array;
}

/** All members have the same keys. */
export interface NativeCarriedKeys {
  /** Says which keys they are: 32 bytes. */
  digest: Uint8Array;
  /** The keys that an officer must mark first. */
  unmarked: NativeUnmarkedKey[];
  /** Whether the generation is complete; it must not be used before. */
  complete: boolean;
}

/** A token, and the generations of one cluster that it has marks of, in ascending order. */
export interface NativeTokenGenerations {
  token: NativeTokenInfo;
  generations: NativeGeneration[];
}

/**
 * One run of a ceremony: `logIn` for each member, `prepare`, `complete`, `close`. Its calls run in order on a thread of
 * their own and have no deadline, because a person may have to act at an HSM. A failure's `member` is the index of its
 * member. After one, close and begin anew: a second run completes what the first left. A call out of turn fails with
 * CKR_OPERATION_NOT_INITIALIZED, one after `close` with kind `closed`.
 */
export interface NativeCeremony {
  /** `C_Login` once, as the member's maker. Not called if the token says that the PIN is locked, or that one try is left: CKR_PIN_LOCKED. */
  logIn(member: number, pin: Uint8Array): Promise<null>;
  /**
   * Destroys an unfinished generation, and makes the carry keys, whose fingerprints are to be compared before `complete`:
   * whoever replaces a carry key on its way gets all cluster keys. Empty if nothing will be carried: some member has the
   * generation's mark, or all have the same keys, which wait for an officer. `anew` destroys the latter instead.
   */
  prepare(anew: boolean): Promise<NativeCarryKeyFingerprint[]>;
  /**
   * Carries the keys, proves that all members have the same, and marks the generation as complete if all keys are
   * trusted. Otherwise call it again when an officer has marked them. Of keys that were there before, and that an
   * officer marks, the first call only tells the digest, even if all are trusted: whoever has the user's PIN can have put
   * them there, so compare it with that of the run that made them, and call again. Fails with `material-missing` or
   * `material-mismatch` if the generation has a mark and is not the same on all members: then the cluster needs a new
   * one. `material-mismatch` too if the keys were replaced while they waited, `material-ambiguous` if another object has
   * the label of a key that an officer marks.
   */
  complete(): Promise<NativeCarriedKeys>;
  /**
   * Ends the officers' logins and leaves the modules. Waiting calls fail with kind `closed`, and so does one that hangs
   * for three seconds more. A module that it hangs in is left alone: end the process with `exitNow`.
   */
  close(): Promise<null>;
}

/** What came of one attack of docs/decisions/0016. */
export interface NativeAttackOutcome {
  /** Its stable name and, if it was on a cluster key, that key's: `unwrap-as-readable-wraps-aes`. */
  attack: string;
  /** Whether the token withstood it. False also for one that could not be tried, or that failed for an unrelated reason. */
  held: boolean;
  /** The token's refusal, or 0 if it refused nothing. */
  rv: number;
  /** For people; no secret. */
  detail: string;
}

/** The exports of the addon for the generations of a cluster. */
export interface NativeCeremonies {
  /**
   * Opens all members, each within a minute; the first of them will make the keys. Never logs in. Fails with
   * `token-missing` also if two members are one token. `enforced` goes into the marks.
   */
  openCeremony(
    clusterId: string,
    generation: number,
    members: NativeCeremonyMember[],
    enforced: boolean,
  ): Promise<NativeCeremony>;
  /**
   * Opens a member's token and reads its marks, without a PIN. Anyone who reaches the token can plant a mark, so this is
   * for showing; `NativePool.generations` looks at the keys too.
   */
  readGenerations(member: NativeCeremonyMember, clusterId: string, deadlineMs: number): Promise<NativeTokenGenerations>;
  /**
   * Tries the attacks on throwaway keys and on the generation's own: as the user with this PIN, or without a PIN if it is
   * null. Everything it makes is a session object. If any attack is not `held`, the generation must not be used. `C_Login`
   * is called once, and not if the PIN is locked or one try is left (CKR_PIN_LOCKED).
   */
  checkTrust(
    member: NativeCeremonyMember,
    clusterId: string,
    generation: number,
    userPin: Uint8Array | null,
    deadlineMs: number,
  ): Promise<NativeAttackOutcome[]>;
}
