import CircuitBreaker from 'opossum';
import type { Clock, ScheduledTask } from '../clock.js';

/** When a member is suspended, and when it is probed. */
export interface BreakerSettings {
  /** How many consecutive failures open the breaker. */
  consecutiveFailures: number;
  /** More than this share of failures in the window opens it. */
  failurePercentage: number;
  /** The share counts only once the window has this many outcomes. */
  minimumOutcomes: number;
  windowMs: number;
  /** How long it stays open before the first probe. */
  probeDelayMs: number;
}

/** The member as its breaker sees it. Implemented by `Member`. */
export interface BreakerHooks {
  /** Suspends the member. */
  onOpen(cause: unknown): void;
  /** Resolves if the member has proved itself, rejects if not; always settles. */
  probe(): Promise<void>;
  onProbeFailed(cause: unknown): void;
  /** How long to wait before a probe; `failedProbes` counts those since it opened. */
  probeDelayMs(failedProbes: number): number;
  /** Resumes the member. */
  onClose(): void;
}

/** An outcome that concerns the HSM. A caller's fault is not an outcome, and is never recorded. */
export type HsmOutcome = { ok: true } | { ok: false; opensAtOnce: boolean; cause: unknown };

/** opossum's maximum delay: its own timers and timeouts are not used, ours go through `Clock`. */
const neverMs = 2_147_483_647;

/**
 * The breaker of one member: an opossum circuit that counts, with additions that opossum lacks: session epochs,
 * consecutive failures, failures that open it at once, and a half-open state that lets one probe through and no caller.
 */
export class MemberBreaker {
  readonly #settings: BreakerSettings;
  readonly #clock: Clock;
  readonly #hooks: BreakerHooks;
  #epoch: number;
  #circuit: CircuitBreaker<[unknown], void>;
  #failuresInARow = 0;
  #failedProbes = 0;
  #lastCause: unknown;
  #probeTimer: ScheduledTask | undefined;
  #nextProbeMs: number | undefined;
  #probing = false;
  /** Settles when the last probe has ended. */
  #probed = Promise.resolve();
  #held = false;
  #stopped = false;

  constructor(settings: BreakerSettings, clock: Clock, epoch: number, hooks: BreakerHooks) {
    this.#settings = settings;
    this.#clock = clock;
    this.#epoch = epoch;
    this.#hooks = hooks;
    this.#circuit = this.#newCircuit();
  }

  get state(): 'closed' | 'open' | 'half-open' {
    if (this.#circuit.closed) return 'closed';
    return this.#probing ? 'half-open' : 'open';
  }

  /**
   * How long until the next probe is due: if one is running, until the one after it. Undefined while it is closed or
   * held, and once it has stopped.
   */
  get nextProbeInMs(): number | undefined {
    if (this.#stopped || this.#held || this.#circuit.closed) return undefined;
    if (this.#probing || this.#nextProbeMs === undefined) return this.#settings.probeDelayMs;
    return Math.max(0, this.#nextProbeMs - this.#clock.monotonicMs());
  }

  /**
   * Counts an outcome. Ignores one of an older session epoch, or of work that was in progress when the breaker opened.
   */
  record(epoch: number, outcome: HsmOutcome): void {
    if (this.#stopped || epoch < this.#epoch || !this.#circuit.closed) return;
    this.#epoch = epoch;
    if (outcome.ok) {
      this.#failuresInARow = 0;
      // A success is a counted call that did not fail. Through `fire` it would count the same, but cost six promises
      // and a list of latencies that grows for the length of the window.
      this.#circuit.emit('fire');
      return;
    }
    this.#failuresInARow += 1;
    this.#lastCause = outcome.cause;
    if (outcome.opensAtOnce || this.#failuresInARow >= this.#settings.consecutiveFailures) {
      this.#circuit.open();
      return;
    }
    // The circuit rejects with the cause that was just recorded; the caller of the operation has it already.
    this.#circuit.fire(outcome.cause).catch(() => undefined);
  }

  /** Opens it regardless of its counts, for a member that is absent. */
  open(cause: unknown): void {
    if (this.#stopped || !this.#circuit.closed) return;
    this.#lastCause = cause;
    this.#circuit.open();
  }

  /** Opens it, and lets no probe begin until `release`. Resolves once no probe runs. */
  async hold(cause: unknown): Promise<void> {
    this.#held = true;
    this.#probeTimer?.cancel();
    this.open(cause);
    await this.#probed;
  }

  /** Ends `hold`: a probe begins at once. */
  release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#failedProbes = 0;
    if (!this.#stopped && !this.#probing) this.#startProbe();
  }

  /** Begins a session epoch: outcomes of older ones are ignored from now on. */
  beginEpoch(epoch: number): void {
    this.#epoch = epoch;
  }

  /** Ends all timers. The member keeps its present admission. */
  stop(): void {
    this.#stopped = true;
    this.#probeTimer?.cancel();
    this.#circuit.shutdown();
  }

  #newCircuit(): CircuitBreaker<[unknown], void> {
    const circuit = new CircuitBreaker<[unknown], void>(fail, {
      timeout: false,
      resetTimeout: neverMs,
      rollingCountTimeout: this.#settings.windowMs,
      rollingPercentilesEnabled: false,
      volumeThreshold: this.#settings.minimumOutcomes,
      errorThresholdPercentage: this.#settings.failurePercentage,
    });
    circuit.on('open', () => {
      this.#hooks.onOpen(this.#lastCause);
      this.#scheduleProbe();
    });
    return circuit;
  }

  #scheduleProbe(): void {
    if (this.#stopped || this.#held) return;
    const delayMs = this.#hooks.probeDelayMs(this.#failedProbes);
    this.#nextProbeMs = this.#clock.monotonicMs() + delayMs;
    this.#probeTimer = this.#clock.schedule(delayMs, () => {
      this.#startProbe();
    });
  }

  #startProbe(): void {
    this.#probed = this.#probe();
  }

  async #probe(): Promise<void> {
    this.#probing = true;
    try {
      await this.#hooks.probe();
      this.#close();
    } catch (cause) {
      if (this.#isStopped()) return;
      this.#failedProbes += 1;
      this.#hooks.onProbeFailed(cause);
      this.#scheduleProbe();
    } finally {
      this.#probing = false;
    }
  }

  /** A new circuit, because the failures in the old one's window would open it again at the next failure. */
  #close(): void {
    if (this.#isStopped() || this.#held) return;
    this.#circuit.shutdown();
    this.#failuresInARow = 0;
    this.#failedProbes = 0;
    this.#circuit = this.#newCircuit();
    this.#hooks.onClose();
  }

  #isStopped(): boolean {
    return this.#stopped;
  }
}

function fail(cause: unknown): Promise<void> {
  return Promise.reject(new Error('failed', { cause }));
}
