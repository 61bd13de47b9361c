/** The remedies for an absent member, by the cause of its absence: the cheapest first. */
import { isNativeFailure } from './failure.js';
import { MemberOpenError } from './member-open-error.js';
import type { NativeFailure, NativeFailureKind } from './native.js';
import type { ReturnValues } from './return-values.js';

/** How an absent member is brought back. */
export interface RecoverySettings {
  /** Maximum time for one attempt to open a member: initialising its module, finding the token, logging in. */
  openTimeoutMs: number;
  /** How many probes in a row must fail before the member is reopened although its failures do not require that. */
  reopenAfterProbes: number;
  /** The delay before a probe doubles from the breaker's up to this one; a random part of up to half is subtracted. */
  maximumProbeDelayMs: number;
  /** Maximum number of module instances of one member that may hang when it is reopened; with one more it is stuck. */
  maxStuckOpenings: number;
}

/** `wait`: probe once more; `log-in`: one login on the open token; `reopen`: sessions, module and token anew. */
export type Remedy = 'wait' | 'log-in' | 'reopen';

/** The remedy for a probe's failure. @param failedProbes how many have failed in a row, including this one */
export function remedyFor(
  cause: unknown,
  failedProbes: number,
  settings: RecoverySettings,
  returnValues: ReturnValues,
): Remedy {
  if (isNativeFailure(cause)) {
    if (isLoggedOut(cause, returnValues) && failedProbes === 1) return 'log-in';
    if (isLost(cause, returnValues)) return 'reopen';
  }
  return failedProbes >= settings.reopenAfterProbes ? 'reopen' : 'wait';
}

/**
 * Whether the session reports that it is not logged in. Only C_GetSessionInfo proves it: some tokens answer in the same
 * way for a key that they refuse, and each login writes to the token.
 */
export function isLoggedOut(cause: unknown, returnValues: ReturnValues): boolean {
  if (!isNativeFailure(cause) || cause.kind !== 'rv') return false;
  return returnValues(cause.rv).loginLost && cause.functionName === 'C_GetSessionInfo';
}

/** Whether no probe can ever succeed with the present sessions. */
function isLost(failure: NativeFailure, returnValues: ReturnValues): boolean {
  // A member without lanes, or that is not open.
  if (failure.kind === 'no-member' || failure.kind === 'token-missing') return true;
  if (failure.kind !== 'rv' && failure.kind !== 'self-test-failed') return false;
  return returnValues(failure.rv).tokenLost;
}

/** Whether the token refused the credential, or will not be asked: only an operator can change that. */
export function isCredentialRefused(cause: unknown): cause is MemberOpenError {
  return cause instanceof MemberOpenError && cause.errorCode === 'INVALID_CREDENTIALS';
}

/** Whether the member does not return by itself. It is retried anyway, in case an operator has fixed it. */
export function isForGood(cause: unknown): boolean {
  return cause instanceof MemberOpenError && !cause.transient;
}

/** Whether the pool refuses to open the member: too much of it hangs in its module. */
function isPoolStuck(cause: unknown): boolean {
  return cause instanceof MemberOpenError && isNativeFailure(cause.cause) && cause.cause.kind === 'stuck';
}

/** Whether the attempt reached its deadline inside the module, or while it waited for a call that hangs there. */
function isOpeningOverdue(cause: unknown): boolean {
  if (!(cause instanceof MemberOpenError)) return false;
  if (cause.behindHungLogin) return true;
  return isNativeFailure(cause.cause) && overdueKinds.has(cause.cause.kind);
}

const overdueKinds: ReadonlySet<NativeFailureKind> = new Set(['lane-deadline', 'queue-deadline']);

/** The circumstances of a failed attempt to open. */
export interface HangingOpening {
  /** Something of the member hangs in its module, from this opening or an earlier one. */
  hangs: boolean;
  /** The module's instance is shared: whatever hangs in it blocks the next attempt too. */
  shared: boolean;
}

/**
 * Whether a member is stuck: consecutive attempts to open it failed because of hanging calls in its module. A hanging
 * HSM fails in many ways, so no kind of failure resets the count while something hangs.
 */
export class StuckOpenings {
  readonly #most: number;
  #count = 0;
  #isPoolStuck = false;

  constructor({ maxStuckOpenings }: RecoverySettings) {
    this.#most = maxStuckOpenings;
  }

  get isStuck(): boolean {
    return this.#isPoolStuck || this.#count > this.#most;
  }

  failed(cause: unknown, { hangs, shared }: HangingOpening): void {
    this.#isPoolStuck = isPoolStuck(cause);
    // An operator has to act; another process would be refused as well.
    if (this.#isPoolStuck || isCredentialRefused(cause)) return;
    if (isOpeningOverdue(cause) || (hangs && shared)) this.#count += 1;
    else if (!hangs) this.#count = 0;
  }

  opened(): void {
    this.#count = 0;
    this.#isPoolStuck = false;
  }
}
