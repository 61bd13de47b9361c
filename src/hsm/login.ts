/** Opens one member: a wrong PIN is tried once, by whichever process comes first (invariant 7). */
import type { Clock } from '../clock.js';
import type { Presence } from '../coordination/presence.js';
import type { Claimant, LoginAttempts } from '../keystores/catalog.js';
import type { ConnectionErrorCode } from '../clusters/hsm-cluster.js';
import type { Secret } from '../secret.js';
import { isNativeFailure } from './failure.js';
import { attemptState } from './attempt-state.js';
import { presentClaimant } from './lock-domain.js';
import { loginAnswer } from './login-answers.js';
import type {
  NativeAddon,
  NativeFailure,
  NativeLock,
  NativeMemberOptions,
  NativeModuleOptions,
  NativePool,
  NativeTokenInfo,
} from './native.js';
import type { ReturnValues } from './return-values.js';
import { effectiveProfile, nativeProfile, type ProfileSetting } from './profiles/effective-profile.js';
import { planLanes } from './profiles/lane-plan.js';
import type { VendorProfile } from './profiles/profile.js';

/** CK_TOKEN_INFO.flags, PKCS#11 v2.40 §3.2. */
const tokenFlags = { userPinCountLow: 0x1_0000, userPinFinalTry: 0x2_0000, userPinLocked: 0x4_0000 };

/** Mechanisms that a token must have, PKCS#11 v2.40 (Current Mechanisms) §2.9, §2.12. */
const requiredMechanisms = [
  { name: 'CKM_AES_KEY_GEN', value: 0x1080 },
  { name: 'CKM_AES_GCM', value: 0x1087 },
];

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

/** The PIN and its name, which does not reveal it. */
export interface MemberCredential {
  pin: Secret;
  credentialVersion: string;
}

/** The vendor of a member's module, and how many lanes it may have; null: as many as its profile recommends. */
export interface MemberKind {
  profile: ProfileSetting;
  laneCount: number | null;
}

/** A logged-in member: its index in the pool, its session epoch, and its profile. */
export interface OpenedMember {
  member: number;
  epoch: number;
  token: NativeTokenInfo;
  profile: VendorProfile;
}

/** Why a member could not be opened, in the terms of DescribeCustomKeyStores. */
export class MemberOpenError extends Error {
  override readonly name = 'MemberOpenError';
  readonly errorCode: ConnectionErrorCode;
  /** Worth retrying without an operator. */
  readonly transient: boolean;
  /** The token of the failed login, if it came that far. */
  readonly token: NativeTokenInfo | undefined;
  /** The login was not tried, because an earlier login still hangs in the module. */
  readonly behindHungLogin: boolean;

  /** The token itself has just judged the PIN, and refused it. */
  get tokenRefusedPin(): boolean {
    return this.errorCode === 'INVALID_CREDENTIALS' && this.cause !== undefined;
  }

  constructor(
    errorCode: ConnectionErrorCode,
    transient: boolean,
    message: string,
    { cause, token, behindHungLogin = false }: OpenFailureDetails = {},
  ) {
    super(message, { cause });
    this.errorCode = errorCode;
    this.transient = transient;
    this.token = token;
    this.behindHungLogin = behindHungLogin;
  }
}

interface OpenFailureDetails {
  cause?: unknown;
  token?: NativeTokenInfo | undefined;
  behindHungLogin?: boolean;
}

/** A member of a pool that is reopened under one index. */
export interface LastingMember {
  index: number;
  module: NativeModuleOptions;
  kind: MemberKind;
  /**
   * Called with the token that was found, before anything is tried on it. @throws MemberOpenError if it belongs to
   * another member
   */
  claim(token: NativeTokenInfo): void;
  /** Reads its inventory after a login, before it takes work. Rejects with a NativeFailure. */
  takeInventory(deadlineMs: number): Promise<unknown>;
}

/** The bounds of opening a member, and whether it may try a PIN that the token has never accepted. */
export interface OpeningBounds {
  deadlineMs: number;
  /** Counted from the moment that the module's lock is held. */
  openTimeoutMs: number;
  /** The PIN was refused elsewhere: it is tried only on a token that accepted it before. */
  onlyWhereAccepted: boolean;
}

/**
 * Initialises the module, finds the token and logs in, under the lock of the module, which other processes respect. The
 * member is suspended afterwards.
 * @throws MemberOpenError
 */
export function openAndLogIn(
  tools: LoginTools,
  pool: NativePool,
  options: NativeMemberOptions,
  kind: MemberKind,
  credential: MemberCredential,
  deadlineMs: number,
): Promise<OpenedMember> {
  return underModuleLock(tools, options.module, deadlineMs, async () => {
    const opened = await pool.openMember(options, deadlineMs);
    return logInToOpened(tools, pool, opened, kind, credential, deadlineMs);
  });
}

/**
 * Opens a member under its index, for the first time or again, and logs in to it in the same way.
 * @throws MemberOpenError
 */
export function reopenAndLogIn(
  tools: LoginTools,
  pool: NativePool,
  member: LastingMember,
  credential: MemberCredential,
  bounds: OpeningBounds,
): Promise<OpenedMember> {
  return underModuleLock(tools, member.module, bounds.deadlineMs, async () => {
    const untilMs = Math.min(bounds.deadlineMs, tools.clock.monotonicMs() + bounds.openTimeoutMs);
    const opened = await pool.reopenMember(member.index, untilMs);
    member.claim(opened.token);
    if (bounds.onlyWhereAccepted) await requireAccepted(tools, opened.token, credential.credentialVersion);
    return logInToOpened(tools, pool, opened, member.kind, credential, untilMs);
  });
}

/** Logs in to a token that is open and has lost its login. @throws MemberOpenError */
export function logInAgain(
  tools: LoginTools,
  pool: NativePool,
  member: LastingMember,
  credential: MemberCredential,
  deadlineMs: number,
): Promise<{ epoch: number }> {
  return underModuleLock(tools, member.module, deadlineMs, async () => {
    // Read again: its flags show whether few attempts are left.
    const token = await pool.tokenInfo(member.index, deadlineMs);
    member.claim(token);
    return logInOnce(tools, pool, { member: member.index, token }, credential, deadlineMs);
  });
}

async function requireAccepted(tools: LoginTools, token: NativeTokenInfo, credentialVersion: string): Promise<void> {
  if ((await attemptState(tools.loginAttempts, token, credentialVersion)) === 'succeeded') return;
  throw new MemberOpenError(
    'INVALID_CREDENTIALS',
    false,
    `The PIN was refused by another token; it is not tried on token '${token.label}', which never accepted it.`,
    { token },
  );
}

/** The bounds of one `C_Login`, and the lock that goes with it. */
interface LoginBounds {
  deadlineMs: number;
  attempt: NativeLock;
}

/** Another holder of the PIN's lock is done within this time, or hangs: the module's lock keeps all others out. */
const attemptLockMs = 1_000;

/** An open token to log in to. */
interface LoginTarget {
  member: number;
  token: NativeTokenInfo;
}

async function underModuleLock<T>(
  tools: LoginTools,
  module: NativeModuleOptions,
  deadlineMs: number,
  work: () => Promise<T>,
): Promise<T> {
  try {
    const lock = await tools.addon.acquireModuleLock(module, tools.lockDirectory, deadlineMs);
    try {
      return await work();
    } finally {
      lock.release();
    }
  } catch (error) {
    throw isNativeFailure(error) ? memberOpenError(error, tools.returnValues) : error;
  }
}

async function logInToOpened(
  tools: LoginTools,
  pool: NativePool,
  { member, token }: LoginTarget,
  kind: MemberKind,
  credential: MemberCredential,
  deadlineMs: number,
): Promise<OpenedMember> {
  requireMechanisms(token);
  const profile = effectiveProfile(kind.profile, token);
  pool.setProfile(member, nativeProfile(profile, token.mechanisms), planLanes(profile, token, kind.laneCount));
  const { epoch } = await logInOnce(tools, pool, { member, token }, credential, deadlineMs);
  return { member, epoch, token, profile };
}

function requireMechanisms(token: NativeTokenInfo): void {
  const missing = requiredMechanisms.filter(({ value }) => !token.mechanisms.includes(value)).map(({ name }) => name);
  if (missing.length === 0) return;
  throw new MemberOpenError('INTERNAL_ERROR', false, `Token '${token.label}' has no ${missing.join(' and no ')}.`);
}

async function logInOnce(
  tools: LoginTools,
  pool: NativePool,
  target: LoginTarget,
  credential: MemberCredential,
  deadlineMs: number,
): Promise<{ epoch: number }> {
  const { member } = target;
  const attempt = await lockAttempt(tools, target.token, credential.credentialVersion);
  try {
    // Read again: a hanging attempt may have returned while this one waited for its lock, and only the flags show it.
    const token = await pool.tokenInfo(member, deadlineMs);
    refuseAtFinalTry(token);
    return await tryOnce(tools, pool, { member, token }, credential, { deadlineMs, attempt });
  } finally {
    attempt.release();
  }
}

/**
 * A PIN is locked for as long as `C_Login` takes, even if it hangs and its caller has given up: the token has not
 * counted that attempt yet, so its flags do not show it. The lock also covers a PIN that the token accepted before: it
 * may have been changed since. So a hanging login keeps its member out of use until it has returned, or its process is
 * replaced.
 */
async function lockAttempt(tools: LoginTools, token: NativeTokenInfo, credentialVersion: string): Promise<NativeLock> {
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

async function tryOnce(
  tools: LoginTools,
  pool: NativePool,
  { member, token }: LoginTarget,
  { pin, credentialVersion }: MemberCredential,
  bounds: LoginBounds,
): Promise<{ epoch: number }> {
  const claimant = await claimAttempt(tools, token, credentialVersion, bounds.deadlineMs);
  const record = (outcome: 'succeeded' | 'failed' | 'not-tried') =>
    tools.loginAttempts.record(token.serialNumber, credentialVersion, claimant, outcome);
  let opened: { epoch: number };
  try {
    opened = await logInWith(pool, member, pin, bounds);
  } catch (error) {
    const outcome = attemptOutcome(error, tools.returnValues);
    if (outcome !== 'unknown') await record(outcome);
    throw isNativeFailure(error) ? memberOpenError(error, tools.returnValues, token) : error;
  }
  await record('succeeded');
  return opened;
}

/** If the cluster disconnects meanwhile, the PIN is destroyed and never reaches the token. */
async function logInWith(
  pool: NativePool,
  member: number,
  pin: Secret,
  { deadlineMs, attempt }: LoginBounds,
): Promise<{ epoch: number }> {
  if (pin.isDestroyed) throw new MemberOpenError('INTERNAL_ERROR', true, 'The cluster was disconnected meanwhile.');
  return pool.loginMember(member, pin.reveal(), deadlineMs, attempt);
}

function refuseAtFinalTry(token: NativeTokenInfo): void {
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
  token: NativeTokenInfo,
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
  throw outcome === 'in-progress' ? triedElsewhere(token) : refusedBefore(token);
}

function triedElsewhere(token: NativeTokenInfo): MemberOpenError {
  const message = `Another process is trying this PIN on token '${token.label}'; it is not tried again before that has ended.`;
  return new MemberOpenError('NETWORK_ERRORS', true, message, { token });
}

function refusedBefore(token: NativeTokenInfo): MemberOpenError {
  const message = `Token '${token.label}' refused this PIN before; it is not tried again until it is changed.`;
  return new MemberOpenError('INVALID_CREDENTIALS', false, message, { token });
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

/** The error for a failure to open a member. @param token the token of the failed login, if it came that far */
export function memberOpenError(
  failure: NativeFailure,
  returnValues: ReturnValues,
  token?: NativeTokenInfo,
): MemberOpenError {
  const told = (errorCode: ConnectionErrorCode, transient: boolean) =>
    new MemberOpenError(errorCode, transient, failure.message, { cause: failure, token });
  if (failure.kind === 'rv' && failure.functionName === 'C_Login') {
    const { errorCode, transient } = loginAnswer(returnValues(failure.rv));
    return told(errorCode, transient);
  }
  if (failure.kind === 'token-missing') return told('CLUSTER_NOT_FOUND', true);
  if (failure.kind === 'module') return told('INTERNAL_ERROR', true);
  // The configuration contradicts itself about one library: only another configuration helps.
  if (failure.kind === 'module-in-use') return told('INTERNAL_ERROR', false);
  return told('NETWORK_ERRORS', true);
}
