/** One try of a PIN on a token, whoever makes it: claimed in the catalog, locked, recorded (invariant 7). */
import type { Clock } from '../clock.js';
import type { Presence } from '../coordination/presence.js';
import type { Claimant, LoginAttempts } from '../keystores/catalog.js';
import { attemptState } from './attempt-state.js';
import { isNativeFailure } from './failure.js';
import { presentClaimant } from './lock-domain.js';
import { loginAnswer } from './login-answers.js';
import { type AttemptedToken, memberOpenError, MemberOpenError } from './member-open-error.js';
import type { NativeAddon, NativeLock } from './native.js';
import type { ReturnValues } from './return-values.js';

/** CK_TOKEN_INFO.flags, PKCS#11 v2.40 §3.2. */
const tokenFlags = { userPinCountLow: 0x1_0000, userPinFinalTry: 0x2_0000, userPinLocked: 0x4_0000 };

/**
 * The dependencies of a login besides the pool: locks that all processes respect, and the durable record of attempts.
 */
export interface LoginTools {
  addon: Pick<NativeAddon, 'acquireModuleLock' | 'acquireLoginLock'>;
  loginAttempts: LoginAttempts;
  returnValues: ReturnValues;
  /** Shows processes that share no locks with this one that it is alive. */
  presence: Presence;
  clock: Clock;
  /** Folder (0700, ours) of the lock files that serialise initialisation and login across processes. */
  lockDirectory: string;
}

/** The PIN to try, by its name, and the token to try it on. */
export interface PinAttempt {
  token: AttemptedToken;
  credentialVersion: string;
  /** The token as it is now, under the lock of the PIN. */
  present(): Promise<AttemptedToken>;
}

/** Another holder of the PIN's lock is done within this time, or hangs: the module's lock keeps all others out. */
const attemptLockMs = 1_000;

/**
 * Runs `work`, which calls `C_Login` at most once, unless the token refused this PIN before or has one attempt left.
 * @param work gets the PIN's lock, which a login that hangs holds until it returns. Rejects with a NativeFailure
 * @throws MemberOpenError
 */
export async function tryOnce<T>(
  tools: LoginTools,
  attempt: PinAttempt,
  deadlineMs: number,
  work: (lock: NativeLock) => Promise<T>,
): Promise<T> {
  const lock = await lockAttempt(tools, attempt.token, attempt.credentialVersion);
  try {
    const token = await attempt.present();
    refuseAtFinalTry(token);
    return await tryClaimed(tools, { ...attempt, token }, deadlineMs, () => work(lock));
  } finally {
    lock.release();
  }
}

async function tryClaimed<T>(
  tools: LoginTools,
  { token, credentialVersion }: PinAttempt,
  deadlineMs: number,
  work: () => Promise<T>,
): Promise<T> {
  const claimant = await claimAttempt(tools, token, credentialVersion, deadlineMs);
  const record = (outcome: 'succeeded' | 'failed' | 'not-tried') =>
    tools.loginAttempts.record(token.serialNumber, credentialVersion, claimant, outcome);
  let result: T;
  try {
    result = await work();
  } catch (error) {
    const outcome = attemptOutcome(error, tools.returnValues);
    const thrown = isNativeFailure(error) ? memberOpenError(error, tools.returnValues, token) : error;
    // First: a process that dies in between leaves a claim that is open, and not one that says that the PIN is wrong.
    if (outcome === 'failed' && thrown instanceof MemberOpenError && !thrown.isWrongPin)
      await tools.loginAttempts.record(token.serialNumber, unclearVersionOf(credentialVersion), claimant, outcome);
    if (outcome !== 'unknown') await record(outcome);
    throw thrown;
  }
  await record('succeeded');
  return result;
}

/**
 * A PIN is locked for as long as `C_Login` takes, even if it hangs and its caller has given up: the token has not
 * counted that attempt yet, so its flags do not show it. The lock also covers a PIN that the token accepted before: it
 * may have been changed since. So a hanging login keeps its member out of use until it has returned, or its process is
 * replaced.
 */
async function lockAttempt(tools: LoginTools, token: AttemptedToken, credentialVersion: string): Promise<NativeLock> {
  const untilMs = tools.clock.monotonicMs() + attemptLockMs;
  try {
    return await tools.addon.acquireLoginLock(token.serialNumber, credentialVersion, tools.lockDirectory, untilMs);
  } catch (cause) {
    if (!isNativeFailure(cause) || cause.kind !== 'lock-held') throw cause;
    throw new MemberOpenError(
      'NETWORK_ERRORS',
      true,
      `A login to token '${token.label}' still hangs in its module; the PIN is not tried again before it has come back.`,
      { token, cause, behindHungLogin: true },
    );
  }
}

function refuseAtFinalTry(token: AttemptedToken): void {
  if ((token.flags & (tokenFlags.userPinFinalTry | tokenFlags.userPinLocked)) === 0) return;
  const state = (token.flags & tokenFlags.userPinLocked) === 0 ? 'has one attempt left before it locks' : 'is locked';
  throw new MemberOpenError(
    'USER_LOCKED_OUT',
    false,
    `The user PIN of token '${token.label}' ${state}; it was not tried.`,
  );
}

async function claimAttempt(
  tools: LoginTools,
  token: AttemptedToken,
  credentialVersion: string,
  deadlineMs: number,
): Promise<Claimant> {
  const { loginAttempts, clock } = tools;
  const claimant = await presentClaimant(tools, deadlineMs);
  const claim = await loginAttempts.claim(token.serialNumber, credentialVersion, claimant, clock.now());
  // A process died between claim and outcome. The token's own count shows whether its PIN was wrong.
  const mayTakeOver = claim === 'interrupted' && (token.flags & tokenFlags.userPinCountLow) === 0;
  const { serialNumber } = token;
  const outcome = mayTakeOver
    ? await loginAttempts.reclaim(serialNumber, credentialVersion, claimant, clock.now())
    : claim;
  if (outcome === 'claimed') return claimant;
  throw outcome === 'in-progress'
    ? triedElsewhere(token)
    : refusedBefore(token, outcome === 'failed' && !(await wasUnclear(tools, token, credentialVersion)));
}

async function wasUnclear(tools: LoginTools, token: AttemptedToken, credentialVersion: string): Promise<boolean> {
  return (await attemptState(tools.loginAttempts, token, unclearVersionOf(credentialVersion))) !== undefined;
}

/** Names an attempt that a token refused with an answer other than that the PIN is wrong. */
function unclearVersionOf(credentialVersion: string): string {
  return `${credentialVersion}:unclear`;
}

function triedElsewhere(token: AttemptedToken): MemberOpenError {
  const message = `Another process is trying this PIN on token '${token.label}'; it is not tried again before that has ended.`;
  return new MemberOpenError('NETWORK_ERRORS', true, message, { token });
}

/** @param isWrongPin false: nobody knows whether the token has judged the PIN; its low PIN count may come from another one. */
function refusedBefore(token: AttemptedToken, isWrongPin: boolean): MemberOpenError {
  const message = `Token '${token.label}' refused this PIN before; it is not tried again until it is changed.`;
  return new MemberOpenError('INVALID_CREDENTIALS', false, message, { token, isWrongPin });
}

/**
 * The verdict of an attempt's failure on the PIN. `unknown`: the token may have counted it, so the claim stays open and
 * counts as failed while the token reports a low PIN count.
 */
function attemptOutcome(error: unknown, returnValues: ReturnValues): 'failed' | 'not-tried' | 'unknown' {
  if (error instanceof MemberOpenError) return 'not-tried';
  if (!isNativeFailure(error)) return 'unknown';
  if (error.kind !== 'rv') return error.kind === 'lane-deadline' ? 'unknown' : 'not-tried';
  if (error.functionName !== 'C_Login') return 'not-tried';
  return loginAnswer(returnValues(error.rv)).attempt;
}
