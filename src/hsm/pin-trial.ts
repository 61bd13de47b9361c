import type { PinTrialFailure, PinTrials } from '../clusters/pin-trials.js';
import type { Secret } from '../secret.js';
import type { MemberOptions } from './clusters.js';
import { underModuleLock } from './login.js';
import { type LoginTools, tryOnce } from './login-attempt.js';
import { MemberOpenError } from './member-open-error.js';
import { PinProcess, type TokenPlace } from './pin-process.js';

/** A PIN, and the name under which its one attempt on a token is recorded. */
export interface PinOnTrial {
  pin: Secret;
  credentialVersion: string;
}

/**
 * Logs in to a token once in a process of its own, by the rule of every login: a PIN that the token refused is not tried
 * again, and none is tried at the final try. Resolves if the token accepts the PIN.
 * @throws MemberOpenError
 */
export function tryPinOnToken(
  tools: LoginTools,
  place: TokenPlace,
  { pin, credentialVersion }: PinOnTrial,
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

/** Tries PINs on the members of the clusters of the configuration. */
export class ConfiguredPinTrials implements PinTrials {
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
    for (const member of this.#membersOf(clusterId)) {
      try {
        await tryPinOnToken(this.#tools, member, { pin, credentialVersion }, deadlineMs);
      } catch (cause) {
        if (!(cause instanceof MemberOpenError)) throw cause;
        const { errorCode, transient } = cause;
        return { memberName: member.name, errorCode, transient, cause };
      }
    }
    return undefined;
  }
}
