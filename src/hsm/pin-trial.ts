import type { MemberPlace, NamedPin, PinChanges, PinTrialFailure, PinTrials } from '../clusters/pin-trials.js';
import type { Secret } from '../secret.js';
import type { MemberOptions } from './clusters.js';
import { underModuleLock } from './login.js';
import { type LoginTools, tryOnce } from './login-attempt.js';
import { MemberOpenError } from './member-open-error.js';
import { PinProcess, type TokenPlace } from './pin-process.js';

/**
 * Logs in to a token once in a process of its own, by the rule of every login: a PIN that the token refused is not tried
 * again, and none is tried at the final try. Resolves if the token accepts the PIN.
 * @throws MemberOpenError
 */
function tryPinOnToken(
  tools: LoginTools,
  place: TokenPlace,
  { pin, credentialVersion }: NamedPin,
  deadlineMs: number,
): Promise<void> {
  return underModuleLock(tools, place.module, deadlineMs, async () => {
    const { process, token } = await PinProcess.find(place, tools.clock, deadlineMs);
    try {
      const present = () => Promise.resolve(token);
      // The process dies at the deadline, and its login with it: the lock need not outlive the attempt.
      await tryOnce(tools, { token, credentialVersion, present }, deadlineMs, () => process.tryPin(pin));
    } finally {
      await process.end();
    }
  });
}

/** Calls C_SetPIN in a process of its own, after one login with the present PIN. @throws MemberOpenError */
function changePinOnToken(
  tools: LoginTools,
  place: TokenPlace,
  { present, next, beforeChange }: { present: NamedPin; next: Secret; beforeChange: () => Promise<void> },
  deadlineMs: number,
): Promise<void> {
  const { pin, credentialVersion } = present;
  return underModuleLock(tools, place.module, deadlineMs, async () => {
    const { process, token } = await PinProcess.find(place, tools.clock, deadlineMs);
    try {
      const attempt = { token, credentialVersion, present: () => Promise.resolve(token) };
      await tryOnce(tools, attempt, deadlineMs, () => process.startChange(pin));
      await beforeChange();
      await process.finishChange(next);
    } finally {
      await process.end();
    }
  });
}

/** Tries PINs on the members of the clusters of the configuration. */
export class ConfiguredPinTrials implements PinTrials, PinChanges {
  readonly #tools: LoginTools;
  readonly #membersOf: (clusterId: string) => readonly MemberOptions[];

  /** @param membersOf the members of a cluster as the configuration has them now */
  constructor(tools: LoginTools, membersOf: (clusterId: string) => readonly MemberOptions[]) {
    this.#tools = tools;
    this.#membersOf = membersOf;
  }

  async tryPin(
    clusterId: string,
    pin: Secret,
    credentialVersion: string,
    deadlineMs: number,
  ): Promise<PinTrialFailure | undefined> {
    for (const { name: memberName } of this.#membersOf(clusterId)) {
      const failure = await this.tryPinOn({ clusterId, memberName }, { pin, credentialVersion }, deadlineMs);
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  tryPinOn(place: MemberPlace, pin: NamedPin, deadlineMs: number): Promise<PinTrialFailure | undefined> {
    return this.#failureOn(place, (member) => tryPinOnToken(this.#tools, member, pin, deadlineMs));
  }

  changePin(
    place: MemberPlace,
    change: { present: NamedPin; next: Secret; beforeChange: () => Promise<void> },
    deadlineMs: number,
  ): Promise<PinTrialFailure | undefined> {
    return this.#failureOn(place, (member) => changePinOnToken(this.#tools, member, change, deadlineMs));
  }

  async #failureOn(
    { clusterId, memberName }: MemberPlace,
    work: (member: MemberOptions) => Promise<void>,
  ): Promise<PinTrialFailure | undefined> {
    const member = this.#membersOf(clusterId).find(({ name }) => name === memberName);
    if (member === undefined) {
      const cause = new Error(`Member ${memberName} is no longer in the configuration.`);
      return { memberName, errorCode: 'CLUSTER_NOT_FOUND', isWrongPin: false, transient: false, cause };
    }
    try {
      await work(member);
      return undefined;
    } catch (cause) {
      if (!(cause instanceof MemberOpenError)) throw cause;
      const { errorCode, transient, isWrongPin } = cause;
      return { memberName, errorCode, isWrongPin, transient, cause };
    }
  }
}
