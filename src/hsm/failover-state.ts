import type { Member } from './member.js';
import type { JudgedFailure } from './member-set.js';
import type { NativeFailure } from './native.js';

/** The members tried in one run of an operation, and the next one. Made when an attempt has failed. */
export class FailoverState {
  readonly failed = new Set<Member | undefined>();
  /** Members that had lost a session or a handle, and may be tried once more. */
  readonly lost = new Set<Member | undefined>();
  /** The member to try next; undefined: the pool chooses one. */
  target: Member | undefined;
  tries = 0;
  /**
   * A ciphertext was refused, and the canary decrypted afterwards: the HSM may have recovered in between. The
   * ciphertext is bad if it is refused a second time.
   */
  doubted = false;
  /** It has waited in a queue for its whole share of the time. */
  waited = false;
  /** An attempt failed because of an HSM. */
  hsmFailed = false;
  #lastFailure: NativeFailure | undefined;

  /** Chains the failures: the log of a failed request has every attempt, the last one first. */
  note({ failure, classification }: JudgedFailure): void {
    this.hsmFailed ||= classification.countsAgainstBreaker;
    if (this.#lastFailure !== undefined) failure.cause = this.#lastFailure;
    this.#lastFailure = failure;
  }
}
