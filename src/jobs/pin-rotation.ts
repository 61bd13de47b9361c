/** Changes the PIN of a key store on its members, and takes up again what a crash or an absent member left. */
import type { ActAudit } from '../audit/act-audit.js';
import type { Clock } from '../clock.js';
import type { NamedPin, PinChanges, PinTrialFailure } from '../clusters/pin-trials.js';
import { type LeaseTools, underLease } from '../coordination/held-lease.js';
import { HoldfastError } from '../errors.js';
import type { BackgroundErrorListener } from '../keys/core.js';
import type { KeyStoreCatalog, PasswordSealer } from '../keystores/catalog.js';
import { type DefaultPinCatalog, findSealedPin } from '../keystores/default-pin-record.js';
import {
  type PinRotation,
  type PinRotationCatalog,
  type PinRotationMember,
  type PinRotationWork,
  settledVersionOf,
} from '../keystores/pin-rotation.js';
import { type SealedPin, unsealedPin } from '../keystores/sealed-pin.js';
import { PeriodicJob } from './periodic-job.js';

/** The dependencies of rotations. */
export interface PinRotationTools {
  catalog: KeyStoreCatalog & PinRotationCatalog & DefaultPinCatalog;
  passwordSealer: PasswordSealer;
  pinChanges: PinChanges;
  audit: Pick<ActAudit, 'perform'>;
  leases: LeaseTools;
  clock: Clock;
  onBackgroundError: BackgroundErrorListener;
}

/** How often rotations are looked for that a process left when it died. */
const intervalMs = 5_000;

/** How long a rotation that could not be completed is left alone: its member is away, and each pass is audited. */
const pauseMs = 60_000;

/** A process that died keeps others from its rotation for this time. */
const leaseTtlMs = 10_000;

/** The time for one step on one member: one that hangs must not keep the others from theirs. */
const stepTimeoutMs = 10_000;

/** The time for one pass over the members of a rotation that is taken up again. */
const passTimeoutMs = 60_000;

/** Rotations of PINs. One process works on a rotation at a time. */
export class PinRotations implements PinRotationWork {
  readonly #tools: PinRotationTools;
  readonly #job: PeriodicJob;
  /** When a rotation is taken up again at the earliest (`Clock.monotonicMs`), by store. */
  readonly #notBeforeMs = new Map<string, number>();

  constructor(tools: PinRotationTools) {
    this.#tools = tools;
    const { clock, onBackgroundError } = tools;
    const round = (signal: AbortSignal): Promise<void> => this.#resume(signal);
    this.#job = new PeriodicJob({ clock, intervalMs, name: 'rotating PINs', round, onBackgroundError });
  }

  start(): void {
    this.#job.start();
  }

  stop(): Promise<void> {
    return this.#job.stop();
  }

  /** Takes all rotations up now. If a round is running, waits for that one. */
  runNow(): Promise<void> {
    this.#notBeforeMs.clear();
    return this.#job.runNow();
  }

  async advance(customKeyStoreId: string, deadlineMs: number): Promise<PinTrialFailure | undefined> {
    let failure: PinTrialFailure | undefined;
    const held = await this.#underLease(customKeyStoreId, async () => {
      failure = await this.#pass(customKeyStoreId, deadlineMs);
    });
    if (held) return failure;
    const message = `Another process is changing the PIN of key store ${customKeyStoreId}. Try again.`;
    throw new HoldfastError('CUSTOM_KEY_STORE_INVALID_STATE', message, { retryable: true, retryAfterMs: 1_000 });
  }

  async #resume(signal: AbortSignal): Promise<void> {
    const { catalog, clock } = this.#tools;
    for (const { customKeyStoreId } of await catalog.listPinRotations()) {
      if (signal.aborted) return;
      const notBeforeMs = this.#notBeforeMs.get(customKeyStoreId) ?? 0;
      if (clock.monotonicMs() < notBeforeMs) continue;
      const held = await this.#underLease(customKeyStoreId, () => this.#continue(customKeyStoreId));
      if (held) this.#notBeforeMs.set(customKeyStoreId, clock.monotonicMs() + pauseMs);
    }
  }

  async #continue(customKeyStoreId: string): Promise<void> {
    const { audit, clock } = this.#tools;
    const parameters = { custom_key_store_id: customKeyStoreId };
    const act = { operation: 'ContinuePinRotation', resources: [], parameters } as const;
    await audit.perform(act, () => this.#pass(customKeyStoreId, clock.monotonicMs() + passTimeoutMs));
  }

  #underLease(customKeyStoreId: string, work: () => Promise<void>): Promise<boolean> {
    // Two requests at once would each try a PIN that the other has just replaced.
    const tools = { ...this.#tools.leases, ttlMs: leaseTtlMs, excludesOwnProcess: true };
    return underLease(tools, `pin-rotation/${customKeyStoreId}`, work);
  }

  async #pass(customKeyStoreId: string, deadlineMs: number): Promise<PinTrialFailure | undefined> {
    const { catalog } = this.#tools;
    const rotation = await rotationOf(catalog, customKeyStoreId);
    const store = await findSealedPin(catalog, customKeyStoreId);
    if (rotation === undefined || store === undefined) return undefined;
    using pins = this.#unseal(store, rotation);
    let failure: PinTrialFailure | undefined;
    for (const member of rotation.members) {
      const stopped = await this.#move(rotation, member, pins, deadlineMs);
      failure ??= stopped;
      if (stopped?.transient === false || this.#job.stopping.aborted) break;
    }
    if (await catalog.completePinRotation(customKeyStoreId)) return undefined;
    // A token that refuses the new PIN, because it is too short for it say, refuses it always.
    if (failure !== undefined && !failure.transient) await catalog.abandonPinRotation(customKeyStoreId);
    return failure;
  }

  /** One member as far as it goes now. */
  async #move(
    { customKeyStoreId, clusterId }: PinRotation,
    member: PinRotationMember,
    pins: RotationPins,
    deadlineMs: number,
  ): Promise<PinTrialFailure | undefined> {
    const { memberName } = member;
    const place = { clusterId, memberName };
    const record = { customKeyStoreId, memberName };
    let { phase, round } = member;
    if (phase === 'changing') {
      const settled = await this.#settle(place, record, pins.inOrder('new', round), deadlineMs);
      if (typeof settled !== 'string') return settled;
      phase = settled;
    }
    if (phase === 'lost') return lost(memberName);
    if (phase === 'new') return undefined;
    round += 1;
    const refused = await this.#change(place, record, pins, deadlineMs);
    const current = await phaseOf(this.#tools.catalog, record);
    if (current !== 'changing') return refused;
    // A token that answers an error has most probably kept the old PIN: a login with the new one would be a wrong one.
    const order = pins.inOrder(refused === undefined ? 'new' : 'old', round);
    const settled = await this.#settle(place, record, order, deadlineMs);
    if (typeof settled !== 'string') return settled;
    if (settled === 'new') return undefined;
    return settled === 'lost' ? lost(memberName) : { ...(refused ?? unchanged(memberName)), transient: false };
  }

  #change(
    place: { clusterId: string; memberName: string },
    record: { customKeyStoreId: string; memberName: string },
    { present, next }: RotationPins,
    deadlineMs: number,
  ): Promise<PinTrialFailure | undefined> {
    const beforeChange = async (): Promise<void> => {
      if (await this.#tools.catalog.changePinPhase(record, 'old', 'changing')) return;
      throw new HoldfastError('CUSTOM_KEY_STORE_INVALID_STATE', 'The rotation was ended meanwhile.', {
        retryable: false,
      });
    };
    const change = { present, next: next.pin, beforeChange };
    return this.#tools.pinChanges.changePin(place, change, this.#stepDeadlineMs(deadlineMs));
  }

  /**
   * Finds out by logins which PIN a token has: one with each at most, and the second only if the first is refused.
   * @returns its phase, or why it could not be asked: it stays `changing`
   */
  async #settle(
    place: { clusterId: string; memberName: string },
    record: { customKeyStoreId: string; memberName: string },
    candidates: readonly { phase: 'old' | 'new'; pin: NamedPin }[],
    deadlineMs: number,
  ): Promise<'old' | 'new' | 'lost' | PinTrialFailure> {
    const { catalog, pinChanges } = this.#tools;
    for (const { phase, pin } of candidates) {
      const failure = await pinChanges.tryPinOn(place, pin, this.#stepDeadlineMs(deadlineMs));
      if (failure === undefined) {
        await catalog.changePinPhase(record, 'changing', phase);
        return phase;
      }
      // Another PIN may be tried only if the token has said that it has not this one. The other members go on.
      if (!failure.isWrongPin) return { ...failure, transient: true };
    }
    await catalog.changePinPhase(record, 'changing', 'lost');
    return 'lost';
  }

  #stepDeadlineMs(deadlineMs: number): number {
    return Math.min(deadlineMs, this.#tools.clock.monotonicMs() + stepTimeoutMs);
  }

  #unseal(present: SealedPin, rotation: PinRotation): RotationPins {
    const { passwordSealer } = this.#tools;
    return new RotationPins(rotation, unsealedPin(passwordSealer, present), unsealedPin(passwordSealer, rotation));
  }
}

/** The two PINs of a rotation. */
class RotationPins implements Disposable {
  readonly present: NamedPin;
  readonly next: NamedPin;
  readonly #rotation: PinRotation;

  constructor(rotation: PinRotation, present: NamedPin, next: NamedPin) {
    this.#rotation = rotation;
    this.present = present;
    this.next = next;
  }

  /** Both, to be tried in this order, under the names that they have in this round alone. */
  inOrder(first: 'old' | 'new', round: number): readonly { phase: 'old' | 'new'; pin: NamedPin }[] {
    const named = ({ pin, credentialVersion }: NamedPin): NamedPin => ({
      pin,
      credentialVersion: settledVersionOf(credentialVersion, this.#rotation, round),
    });
    const both = [
      { phase: 'new' as const, pin: named(this.next) },
      { phase: 'old' as const, pin: named(this.present) },
    ];
    return first === 'new' ? both : both.reverse();
  }

  [Symbol.dispose](): void {
    this.present.pin.destroy();
    this.next.pin.destroy();
  }
}

async function rotationOf(catalog: PinRotationCatalog, customKeyStoreId: string): Promise<PinRotation | undefined> {
  return (await catalog.listPinRotations()).find((each) => each.customKeyStoreId === customKeyStoreId);
}

async function phaseOf(
  catalog: PinRotationCatalog,
  { customKeyStoreId, memberName }: { customKeyStoreId: string; memberName: string },
): Promise<PinRotationMember['phase'] | undefined> {
  const rotation = await rotationOf(catalog, customKeyStoreId);
  return rotation?.members.find((member) => member.memberName === memberName)?.phase;
}

function lost(memberName: string): PinTrialFailure {
  const cause = new Error(`Member ${memberName} refused both the old and the new PIN.`);
  return { memberName, errorCode: 'INVALID_CREDENTIALS', isWrongPin: true, transient: true, cause };
}

function unchanged(memberName: string): PinTrialFailure {
  const cause = new Error(`Member ${memberName} said that it has the new PIN, and refuses it.`);
  return { memberName, errorCode: 'NETWORK_ERRORS', isWrongPin: false, transient: false, cause };
}
