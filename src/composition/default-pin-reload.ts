import type { Clock } from '../clock.js';
import type { PinTrialFailure, PinTrials } from '../clusters/pin-trials.js';
import type { PasswordSealer } from '../keystores/catalog.js';
import type { DefaultPin } from '../keystores/default-pin.js';
import type { Secret } from '../secret.js';

/** Receives the outcome of each reload that found another PIN. */
export interface DefaultPinEvents {
  /** Every member accepts it, and it is used from the next login on. */
  changed(clusterId: string): void;
  /** It is the one that a rotation set: from now on the configuration's counts. */
  caughtUp(clusterId: string): void;
  /** It cannot be read, or a member did not accept it: the old one stays in use. */
  refused(clusterId: string, error: unknown): void;
}

/** The dependencies of the reload. */
export interface DefaultPinReloadTools {
  /** Null: there is no default key store. */
  defaultPin: DefaultPin | null;
  /** Reads the PIN from its source; undefined if that cannot be read twice. @throws if it cannot be used */
  read: () => Promise<Secret | undefined>;
  sealer: PasswordSealer;
  pinTrials: PinTrials;
  clock: Clock;
  /** The time for the trial on all members. */
  timeoutMs: number;
  events: DefaultPinEvents;
}

const outOfDate =
  'names a PIN of the default key store that a rotation has replaced; the catalog has the present one: ' +
  'rotate it once more with --pin-out, and put that PIN in its place';

/**
 * Reads the default key store's PIN again (SIGHUP), and takes up another one if every member accepts it, as
 * UpdateCustomKeyStore does for a custom key store: without a restart, and with one wrong login at most.
 */
export class DefaultPinReload {
  readonly #tools: DefaultPinReloadTools;
  #trouble: string | null = null;

  constructor(tools: DefaultPinReloadTools) {
    this.#tools = tools;
  }

  /** Why the PIN that the configuration names is not in use; null: it is. */
  get trouble(): string | null {
    return this.#trouble ?? (this.#tools.defaultPin?.isOutOfDate === true ? outOfDate : null);
  }

  /** @throws the reason for which the PIN cannot be read or was not accepted */
  async reload(): Promise<void> {
    const { defaultPin, events } = this.#tools;
    if (defaultPin === null) return;
    try {
      await this.#takeUp(defaultPin);
      this.#trouble = null;
    } catch (error) {
      this.#trouble = `names a PIN of the default key store that is not in use: ${messageOf(error)}`;
      events.refused(defaultPin.clusterId, error);
      throw error;
    }
  }

  async #takeUp(defaultPin: DefaultPin): Promise<void> {
    const { read, events } = this.#tools;
    const found = await read();
    if (found === undefined) return;
    try {
      const asked = await defaultPin.consider(found);
      if (asked === 'caught-up') events.caughtUp(defaultPin.clusterId);
      if (asked !== 'trial') return;
      const failure = await this.#try(defaultPin.clusterId, found);
      if (failure !== undefined) throw notAccepted(failure);
      await defaultPin.replace(found);
      events.changed(defaultPin.clusterId);
    } finally {
      found.destroy();
    }
  }

  /** Named by its fingerprint: a PIN that a token refused is not tried again by the next reload, or another process. */
  #try(clusterId: string, pin: Secret): Promise<PinTrialFailure | undefined> {
    const { sealer, pinTrials, clock, timeoutMs } = this.#tools;
    const name = `default:trial:${sealer.fingerprint(pin.reveal(), `default-key-store-trial/${clusterId}`)}`;
    return pinTrials.tryPin(clusterId, pin, name, clock.monotonicMs() + timeoutMs);
  }
}

function notAccepted({ memberName, errorCode, cause }: PinTrialFailure): Error {
  return new Error(`member ${memberName} did not accept it (${errorCode})`, { cause });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
