import type { Clock } from '../clock.js';
import { backoffDelayMs } from '../keystores/backoff.js';
import { type AnswerTable, PromisedAnswer } from './answers.js';
import { type BreakerSettings, MemberBreaker } from './breaker.js';
import type { HsmEvents, MemberPlace } from './events.js';
import { isNativeFailure, classify, type Classification } from './failure.js';
import type { MemberConnection } from './member-connection.js';
import { RandomDraw } from './data-operations.js';
import type { NativeFailure, NativeMaterialReference, NativePool, NativeTokenInfo } from './native.js';
import type { Outlook } from './outlook.js';
import {
  isCredentialRefused,
  isForGood,
  isLoggedOut,
  type RecoverySettings,
  remedyFor,
  StuckOpenings,
} from './recovery.js';
import type { GeneratedPin } from './profiles/profile.js';
import type { ReturnValues } from './return-values.js';

/** Shared by the members of one connected cluster. */
export interface MemberTools {
  pool: NativePool;
  answers: Pick<AnswerTable, 'post'>;
  clock: Clock;
  events: HsmEvents;
  returnValues: ReturnValues;
  breaker: BreakerSettings;
  recovery: RecoverySettings;
  /** A number from 0 up to 1, for jitter. */
  random: () => number;
  /** Maximum time for a half-open probe. */
  operationTimeoutMs: number;
  /** Whether a pool of an earlier connection of the cluster still hangs in a module. */
  formerPoolHangs: () => boolean;
}

const probeRandomBytes = 16;

const drained = new Error('An operator has drained the member.');
const added = new Error('The member was added to the configuration and has not been opened yet.');

const proofs: ReadonlySet<string> = new Set(['C_GetSessionInfo', 'C_GetTokenInfo']);

/**
 * One member of a cluster, open or not: its admission, the breaker that decides about it, and its recovery. While its
 * breaker is open, repeated rounds probe it, and log in or reopen it if necessary; there is never more than one round
 * at a time.
 */
export class Member {
  readonly place: MemberPlace;
  /** Its index in the addon, for as long as the cluster is connected. */
  readonly index: number;
  readonly #tools: MemberTools;
  readonly #connection: MemberConnection;
  readonly #breaker: MemberBreaker;
  #recentMaterial: NativeMaterialReference | undefined;
  #failedProbes = 0;
  /** The last reported obstacle, so it is reported once. */
  #reported: unknown;
  readonly #stuckOpenings: StuckOpenings;
  /**
   * Whether an operation reported that the login is lost. A probe without a key would not show it: random bytes need no
   * login.
   */
  #loggedOut = false;
  /** Whether a proof is under way, because an operation that is not a use of keys failed. */
  #checking = false;
  #drained = false;

  constructor(tools: MemberTools, place: MemberPlace, connection: MemberConnection) {
    this.place = place;
    this.index = connection.index;
    this.#tools = tools;
    this.#connection = connection;
    this.#stuckOpenings = new StuckOpenings(tools.recovery);
    const { breaker, recovery, random } = tools;
    const backoff = { firstDelayMs: breaker.probeDelayMs, maximumDelayMs: recovery.maximumProbeDelayMs };
    this.#breaker = new MemberBreaker(breaker, tools.clock, 0, {
      onOpen: (cause) => this.#suspend(cause),
      onClose: () => this.#resume(),
      probe: () => this.#recover(),
      onProbeFailed: (cause) => this.#report(cause),
      probeDelayMs: (failedProbes) => backoffDelayMs(backoff, failedProbes, random()),
    });
  }

  get breakerState(): MemberBreaker['state'] {
    return this.#breaker.state;
  }

  /** Whether it takes work. */
  get isAdmitted(): boolean {
    return !this.#drained && this.#connection.isOpen && this.#breaker.state === 'closed';
  }

  /** When it will take work again without an operator. */
  get outlook(): Outlook {
    if (this.isAdmitted) return { returns: true, inMs: 0 };
    if (this.#drained || isForGood(this.#reported)) return { returns: false };
    return { returns: true, inMs: this.#breaker.nextProbeInMs };
  }

  /** Whether so much of it hangs in its module that only a new process can open it. */
  get isStuck(): boolean {
    return this.#stuckOpenings.isStuck;
  }

  /** Whether it is logged in and can be addressed by index. */
  get isOpen(): boolean {
    return this.#connection.isOpen;
  }

  /** Its session epoch since the last login; undefined if it was never open. */
  get epoch(): number | undefined {
    return this.#connection.isNew ? undefined : this.#connection.epoch;
  }

  /**
   * Opens it for the first time and admits it.
   * @param onlyWhereAccepted another token refused the PIN: it is tried only on a token that accepted it before
   * @throws MemberOpenError
   */
  async open(deadlineMs: number, onlyWhereAccepted: boolean): Promise<void> {
    await this.#connection.reopen(deadlineMs, onlyWhereAccepted);
    this.#breaker.beginEpoch(this.#connection.epoch);
    this.#tools.pool.resume(this.index);
    this.#tools.events.memberOpened(this.place, ...this.#connection.description);
  }

  /** Called if it could not be opened: opening is retried until it succeeds, or until `stop`. */
  keepTrying(cause: unknown): void {
    this.#reported = cause;
    this.#breaker.open(cause);
  }

  recordSuccess(epoch: number, material: NativeMaterialReference | undefined): void {
    if (material !== undefined) this.#recentMaterial = material;
    this.#breaker.record(epoch, { ok: true });
  }

  /**
   * Reports a failure that concerns the HSM to the breaker; others have no effect on it.
   * @param material the one in whose use it failed
   */
  recordFailure(failure: NativeFailure, classification: Classification, material?: NativeMaterialReference): void {
    // A probe without a key would miss what an operation with one revealed.
    if (failure.kind === 'self-test-failed') this.#recentMaterial ??= material;
    if (failure.kind === 'lane-deadline') this.#tools.events.laneQuarantined(this.place, failure);
    if (!classification.countsAgainstBreaker) return;
    // An inventory runs on no lane, so its failure names no epoch: it concerns the present one.
    const epoch = failure.epoch === 0 && this.#connection.isOpen ? this.#connection.epoch : failure.epoch;
    this.#breaker.record(epoch, { ok: false, opensAtOnce: classification.poisonsMember, cause: failure });
    // The addon has suspended it already; if the failure came from an earlier epoch, the breaker does not.
    if (failure.kind === 'lane-deadline' && this.isAdmitted) this.#tools.pool.resume(this.index);
  }

  /**
   * Notes the failure of an operation that is not a use of keys: making, destroying or listing them. It says nothing
   * about their use, but may be the first sign of a lost token. So a proof decides, and its failure counts like that of
   * any use.
   */
  noteFailure(failure: NativeFailure, classification: Classification): void {
    if (failure.kind === 'lane-deadline') {
      this.#tools.events.laneQuarantined(this.place, failure);
      // The addon has suspended it, but no operation of callers has hung.
      if (this.isAdmitted) this.#tools.pool.resume(this.index);
      return;
    }
    if (!classification.countsAgainstBreaker) return;
    // These functions need only the token, the session and the login, so their failure proves that one of them is lost.
    if (proofs.has(failure.functionName)) this.recordFailure(failure, classification);
    else if (this.isAdmitted && !this.#checking) void this.#check();
  }

  async #check(): Promise<void> {
    this.#checking = true;
    try {
      await this.#prove();
    } catch (error) {
      if (isNativeFailure(error)) this.recordFailure(error, classify(error, this.#tools.returnValues));
      else this.#breaker.open(error);
    } finally {
      this.#checking = false;
    }
  }

  /** Its token and profile when it was last opened; undefined if it never was. */
  get seen(): { token: NativeTokenInfo; profile: string; generatedPin: GeneratedPin } | undefined {
    if (this.#connection.isNew) return undefined;
    const [token, profile] = this.#connection.description;
    return { token, profile: profile.name, generatedPin: profile.generatedPin.value };
  }

  /** Whether it is out of service for maintenance. */
  get isDrained(): boolean {
    return this.#drained;
  }

  /**
   * Takes it out of service, and keeps it out until `returnToService`. Resolves once its work has ended and its sessions
   * are closed. @throws NativeFailure if a call hangs beyond the deadline; it is out of service anyway
   */
  async drain(deadlineMs: number): Promise<void> {
    this.#drained = true;
    // A round of recovery that is under way would open it again.
    await this.#breaker.hold(drained);
    await this.#connection.close(deadlineMs);
  }

  /**
   * Begins to open a member of a cluster that is connected already: at once, and until it succeeds or `stop`. It takes
   * work once its inventory has been compared. One that is drained stays out.
   */
  beginOpening(): void {
    if (this.#drained) return;
    void this.#breaker.hold(added);
    this.#breaker.release();
  }

  /** Begins to open it again. */
  returnToService(): void {
    this.#drained = false;
    this.#breaker.release();
  }

  /** Ends its timers; call it before the pool closes. */
  stop(): void {
    this.#breaker.stop();
  }

  #suspend(cause: unknown): void {
    this.#failedProbes = 0;
    this.#loggedOut = isLoggedOut(cause, this.#tools.returnValues);
    this.#tools.pool.suspend(this.index);
    if (this.#connection.isOpen && !this.#drained) this.#tools.events.memberSuspended(this.place, cause);
  }

  #resume(): void {
    this.#tools.pool.resume(this.index);
    this.#reported = undefined;
    this.#stuckOpenings.opened();
    this.#tools.events.memberResumed(this.place);
  }

  /** One half-open round: a probe, and the remedy for its failure. Rejects while the member is not well. */
  async #recover(): Promise<void> {
    if (this.#connection.isOpen) {
      try {
        if (!this.#loggedOut) {
          await this.#prove();
          return;
        }
        this.#loggedOut = false;
        await this.#reconnect('log-in');
      } catch (cause) {
        this.#failedProbes += 1;
        const remedy = remedyFor(cause, this.#failedProbes, this.#tools.recovery, this.#tools.returnValues);
        if (remedy === 'wait') throw cause;
        this.#tools.events.memberProbeFailed(this.place, cause);
        this.#tools.events.memberReconnecting(this.place, cause);
        await this.#reconnect(remedy);
      }
    } else {
      await this.#reconnect('reopen');
    }
    await this.#prove();
  }

  async #reconnect(remedy: 'log-in' | 'reopen'): Promise<void> {
    const { clock, events, recovery } = this.#tools;
    const first = this.#connection.isNew;
    // Siblings of the same module may hold its lock for their own opening.
    const deadlineMs = clock.monotonicMs() + 2 * recovery.openTimeoutMs;
    if (remedy === 'log-in') await this.#connection.logInAgain(deadlineMs);
    else await this.#connection.reopen(deadlineMs, false);
    this.#breaker.beginEpoch(this.#connection.epoch);
    this.#failedProbes = 0;
    if (first) events.memberOpened(this.place, ...this.#connection.description);
    else events.memberReconnected(this.place);
  }

  #report(cause: unknown): void {
    const { events } = this.#tools;
    if (this.#connection.isOpen) {
      events.memberProbeFailed(this.place, cause);
      return;
    }
    if (this.#becomesStuck(cause)) events.memberStuck(this.place, cause);
    if (this.isStuck) return;
    // A refused PIN is reported once; it is not tried again either.
    if (isCredentialRefused(cause) && isCredentialRefused(this.#reported)) return;
    this.#reported = cause;
    events.memberReconnectFailed(this.place, cause);
  }

  #becomesStuck(cause: unknown): boolean {
    const before = this.isStuck;
    const own = this.#tools.pool.statistics().find(({ member }) => member === this.index);
    // The attempt to open has failed, so whatever is inside the module now hangs, or is late.
    const hangs = (own?.threadsInside ?? 0) > 0 || this.#tools.formerPoolHangs();
    this.#stuckOpenings.failed(cause, { hangs, shared: this.#connection.sharesInstance });
    return this.isStuck && !before;
  }

  /**
   * The canary of a recently used material. Without one, or if the material itself is broken, the token's information
   * and its random generator must do: a broken key must not keep a healthy HSM suspended.
   */
  async #prove(): Promise<void> {
    const deadlineMs = this.#tools.clock.monotonicMs() + this.#tools.operationTimeoutMs;
    if (this.#recentMaterial !== undefined && (await this.#provesMaterial(this.#recentMaterial, deadlineMs))) return;
    await this.#tools.pool.tokenInfo(this.index, deadlineMs);
    await this.#drawRandom(deadlineMs);
  }

  async #drawRandom(untilMs: number): Promise<void> {
    const { answers, pool } = this.#tools;
    const draw = new RandomDraw(probeRandomBytes);
    const answer = new PromisedAnswer(draw);
    answers.post(draw, pool, this.index, untilMs, answer);
    const { value } = await answer.promise;
    value.destroy();
  }

  async #provesMaterial(material: NativeMaterialReference, deadlineMs: number): Promise<boolean> {
    try {
      await this.#tools.pool.probe(this.index, material, deadlineMs);
      return true;
    } catch (error) {
      if (!isNativeFailure(error) || classify(error, this.#tools.returnValues).alert === null) throw error;
      this.#recentMaterial = undefined;
      return false;
    }
  }
}
