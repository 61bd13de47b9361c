/** Opens one member: a wrong PIN is tried once, by whichever process comes first (invariant 7). */
import type { Secret } from '../secret.js';
import { attemptState } from './attempt-state.js';
import { isNativeFailure } from './failure.js';
import { type LoginTools, tryOnce } from './login-attempt.js';
import { memberOpenError, MemberOpenError } from './member-open-error.js';
import type { NativeMemberOptions, NativeModuleOptions, NativePool, NativeTokenInfo } from './native.js';
import { effectiveProfile, nativeProfile, type ProfileSetting } from './profiles/effective-profile.js';
import { planLanes } from './profiles/lane-plan.js';
import type { VendorProfile } from './profiles/profile.js';

/** Mechanisms that a token must have, PKCS#11 v2.40 (Current Mechanisms) §2.9, §2.12. */
const requiredMechanisms = [
  { name: 'CKM_AES_KEY_GEN', value: 0x1080 },
  { name: 'CKM_AES_GCM', value: 0x1087 },
];

/** The PIN and its name, which does not reveal it. */
export interface MemberCredential {
  /** Destroyed after the login. */
  pin: Secret;
  credentialVersion: string;
}

/**
 * The credential for a member's next login, as it is now. It is asked under the lock of the module: whatever changes a
 * PIN on the token holds that lock too. Rejects with a MemberOpenError.
 */
export type CredentialSource = () => Promise<MemberCredential>;

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
  credentialSource: CredentialSource,
  deadlineMs: number,
): Promise<OpenedMember> {
  return underModuleLock(tools, options.module, deadlineMs, async () => {
    const opened = await pool.openMember(options, deadlineMs);
    return withCredential(credentialSource, (credential) =>
      logInToOpened(tools, pool, opened, kind, credential, deadlineMs),
    );
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
  credentialSource: CredentialSource,
  bounds: OpeningBounds,
): Promise<OpenedMember> {
  return underModuleLock(tools, member.module, bounds.deadlineMs, async () => {
    const untilMs = Math.min(bounds.deadlineMs, tools.clock.monotonicMs() + bounds.openTimeoutMs);
    const opened = await pool.reopenMember(member.index, untilMs);
    member.claim(opened.token);
    return withCredential(credentialSource, async (credential) => {
      if (bounds.onlyWhereAccepted) await requireAccepted(tools, opened.token, credential.credentialVersion);
      return logInToOpened(tools, pool, opened, member.kind, credential, untilMs);
    });
  });
}

/** Logs in to a token that is open and has lost its login. @throws MemberOpenError */
export function logInAgain(
  tools: LoginTools,
  pool: NativePool,
  member: LastingMember,
  credentialSource: CredentialSource,
  deadlineMs: number,
): Promise<{ epoch: number }> {
  return underModuleLock(tools, member.module, deadlineMs, async () => {
    // Read again: its flags show whether few attempts are left.
    const token = await pool.tokenInfo(member.index, deadlineMs);
    member.claim(token);
    return withCredential(credentialSource, (credential) =>
      logInOnce(tools, pool, { member: member.index, token }, credential, deadlineMs),
    );
  });
}

async function withCredential<T>(
  credentialSource: CredentialSource,
  work: (credential: MemberCredential) => Promise<T>,
): Promise<T> {
  const credential = await credentialSource();
  try {
    return await work(credential);
  } finally {
    credential.pin.destroy();
  }
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

/** An open token to log in to. */
interface LoginTarget {
  member: number;
  token: NativeTokenInfo;
}

/** Runs `work` while no other process that respects the lock initialises this module, logs in, or changes a PIN. */
export async function underModuleLock<T>(
  tools: Pick<LoginTools, 'addon' | 'lockDirectory' | 'returnValues'>,
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
  { member, token }: LoginTarget,
  { pin, credentialVersion }: MemberCredential,
  deadlineMs: number,
): Promise<{ epoch: number }> {
  // Read again: a hanging attempt may have returned while this one waited for its lock, and only the flags show it.
  const present = (): Promise<NativeTokenInfo> => pool.tokenInfo(member, deadlineMs);
  return tryOnce(tools, { token, credentialVersion, present }, deadlineMs, (lock) =>
    pool.loginMember(member, pin.reveal(), deadlineMs, lock),
  );
}
