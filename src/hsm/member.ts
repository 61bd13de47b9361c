import type { Clock } from '../clock.js';
import { type BreakerSettings, MemberBreaker } from './breaker.js';
import type { HsmEvents, MemberPlace } from './events.js';
import { isNativeFailure, judge, type Verdict } from './failure.js';
import type { OpenedMember } from './login.js';
import type { NativeFailure, NativeMaterialReference, NativePool, NativeTokenInfo } from './native.js';
import type { ReturnValues } from './return-values.js';

export interface MemberTools {
  pool: NativePool;
  clock: Clock;
  events: HsmEvents;
  returnValues: ReturnValues;
  breaker: BreakerSettings;
  /** Longest time for a half-open probe. */
  operationTimeoutMs: number;
}

const probeRandomBytes = 16;

/** One logged-in member of a cluster: its place in the rotation and the breaker that decides about it. */
export class Member {
  readonly place: MemberPlace;
  /** The addon's index of it. */
  readonly index: number;
  readonly token: NativeTokenInfo;
  readonly #tools: MemberTools;
  readonly #breaker: MemberBreaker;
  #recentMaterial: NativeMaterialReference | undefined;

  constructor(tools: MemberTools, place: MemberPlace, opened: OpenedMember) {
    this.place = place;
    this.index = opened.member;
    this.token = opened.token;
    this.#tools = tools;
    this.#breaker = new MemberBreaker(tools.breaker, tools.clock, opened.epoch, {
      onOpen: (cause) => this.#suspend(cause),
      onClose: () => this.#resume(),
      probe: () => this.#probe(),
      onProbeFailed: (cause) => tools.events.memberProbeFailed(place, cause),
    });
  }

  get breakerState(): MemberBreaker['state'] {
    return this.#breaker.state;
  }

  /** Whether it takes work. */
  get isAdmitted(): boolean {
    return this.#breaker.state === 'closed';
  }

  recordSuccess(epoch: number, material: NativeMaterialReference | undefined): void {
    if (material !== undefined) this.#recentMaterial = material;
    this.#breaker.record(epoch, { ok: true });
  }

  /** Failures that say nothing about the HSM leave no trace here. */
  recordFailure(failure: NativeFailure, verdict: Verdict): void {
    if (failure.kind === 'lane-deadline') this.#tools.events.laneQuarantined(this.place, failure);
    if (!verdict.speaksAboutHsm) return;
    this.#breaker.record(failure.epoch, { ok: false, opensAtOnce: verdict.poisonsMember, cause: failure });
  }

  /** Ends its timers; call it before the pool closes. */
  stop(): void {
    this.#breaker.stop();
  }

  #suspend(cause: unknown): void {
    this.#tools.pool.suspend(this.index);
    this.#tools.events.memberSuspended(this.place, cause);
  }

  #resume(): void {
    this.#tools.pool.resume(this.index);
    this.#tools.events.memberResumed(this.place);
  }

  /**
   * The canary of a material that was in use lately. Where there is none, or the material itself is what is wrong, the
   * token's information and its random generator have to do: an ill key must not keep a healthy HSM away.
   */
  async #probe(): Promise<void> {
    const deadlineMs = this.#tools.clock.monotonicMs() + this.#tools.operationTimeoutMs;
    if (this.#recentMaterial !== undefined && (await this.#provesMaterial(this.#recentMaterial, deadlineMs))) return;
    await this.#tools.pool.tokenInfo(this.index, deadlineMs);
    await this.#tools.pool.random(this.index, probeRandomBytes, deadlineMs);
  }

  async #provesMaterial(material: NativeMaterialReference, deadlineMs: number): Promise<boolean> {
    try {
      await this.#tools.pool.probe(this.index, material, deadlineMs);
      return true;
    } catch (error) {
      if (!isNativeFailure(error) || judge(error, this.#tools.returnValues).alert === null) throw error;
      this.#recentMaterial = undefined;
      return false;
    }
  }
}
