import { type Clock, Deadlines } from '../clock.js';
import type { ClusterResult, EncryptedData } from '../clusters/hsm-cluster.js';
import { Secret } from '../secret.js';
import type { Classification } from './failure.js';
import { LatencyWindow } from './latency-window.js';
import type { Member } from './member.js';
import type { NativeFailure } from './native.js';
import type { HsmOperation } from './attempts.js';

/** A second attempt before this would cost more than it saves. */
const leastDelayMs = 1;
/** Each call earns this much of a second attempt: the share of calls with two attempts never exceeds it. */
const hedgedShare = 0.1;
/** The maximum number of second attempts that a quiet time saves up. */
const mostSaved = 10;

/** The answer of an operation that may be repeated. */
export type HedgedAnswer = Secret | EncryptedData | ClusterResult<'generateDataKey'>;

/** A failed attempt, already classified and reported to the member's breaker. */
export interface FailedTry {
  failure: NativeFailure;
  classification: Classification;
  member: Member;
}

/** Called for every second attempt, and for those that answer first. */
export type HedgeListener = (operation: HsmOperation, what: 'sent' | 'won') => void;

/** The end of one attempt. */
export type TryEnd<T> = { value: T } | { failed: FailedTry };

/** One operation that may be tried on two members, as `Failover` passes it on. */
export interface HedgedCall<T> {
  operation: HsmOperation;
  /** At least two; only admitted ones are tried. */
  members: readonly Member[];
  /**
   * One attempt. @param tryNumber 0, or 1 for the second. Rejects only with errors that are not failures of the addon.
   */
  ask(member: Member, tryNumber: number): Promise<TryEnd<T>>;
  /** Pays for the second attempt, if the budget allows it. */
  mayAskAgain(): boolean;
}

/** The first success, or else the failures in order of the attempts. */
export type HedgedEnd<T> = { value: T } | { failures: [FailedTry, ...FailedTry[]] };

/**
 * Tries a second member if the first is late: later than 95 % of the latest successful attempts of that operation. The
 * first success counts; the other attempt contributes only its duration and its classification. The least busy member
 * is tried first. The state belongs to one cluster, for as long as it is connected.
 */
export class Hedging {
  readonly #clock: Clock;
  readonly #onHedge: HedgeListener;
  readonly #deadlines: Deadlines;
  readonly #latencies = new Map<HsmOperation, LatencyWindow>();
  readonly #underWay = new Map<Member, number>();
  #turn = 0;
  #saved = 0;

  constructor(clock: Clock, onHedge: HedgeListener = () => undefined) {
    this.#clock = clock;
    this.#onHedge = onHedge;
    this.#deadlines = new Deadlines(clock);
  }

  async ask<T extends HedgedAnswer>(call: HedgedCall<T>): Promise<HedgedEnd<T>> {
    this.#saved = Math.min(mostSaved, this.#saved + hedgedShare);
    const first = this.#leastBusy(call.members);
    if (first === undefined) throw new Error('There is no member to try.');
    const p95Ms = this.#latencies.get(call.operation)?.p95Ms;
    if (p95Ms !== undefined) return this.#race(call, first, Math.max(leastDelayMs, p95Ms));
    const end = await this.#try(call, first, 0);
    return 'value' in end ? end : { failures: [end.failed] };
  }

  #race<T extends HedgedAnswer>(call: HedgedCall<T>, first: Member, delayMs: number): Promise<HedgedEnd<T>> {
    return new Promise((resolve, reject) => {
      const race = new Race<T>((end) => {
        late.cancel();
        resolve(end);
      });
      const fail = (error: Error): void => {
        race.abandon();
        late.cancel();
        reject(error);
      };
      const enter = (member: Member, tryNumber: number): void => {
        race.enter();
        this.#try(call, member, tryNumber).then((end) => {
          const first = race.take(end);
          if (first && tryNumber === 1 && 'value' in end) this.#onHedge(call.operation, 'won');
        }, fail);
      };
      const late = this.#deadlines.add(this.#clock.monotonicMs() + delayMs, () => {
        const second = this.#second(call, first);
        if (second === undefined) return;
        this.#onHedge(call.operation, 'sent');
        enter(second, 1);
      });
      enter(first, 0);
    });
  }

  /** The second member, once its attempt is paid for. */
  #second(call: Pick<HedgedCall<unknown>, 'members' | 'mayAskAgain'>, first: Member): Member | undefined {
    const others = call.members.filter((member) => member !== first && member.isAdmitted);
    const second = this.#leastBusy(others);
    // Ten times a tenth is a little less than 1.
    if (second === undefined || this.#saved < 1 - 1e-9 || !call.mayAskAgain()) return undefined;
    this.#saved -= 1;
    return second;
  }

  async #try<T>(call: HedgedCall<T>, member: Member, tryNumber: number): Promise<TryEnd<T>> {
    const startedMs = this.#clock.monotonicMs();
    this.#underWay.set(member, this.#load(member) + 1);
    try {
      const end = await call.ask(member, tryNumber);
      if ('value' in end) this.#latencyOf(call.operation).add(this.#clock.monotonicMs() - startedMs);
      return end;
    } finally {
      this.#underWay.set(member, this.#load(member) - 1);
    }
  }

  #latencyOf(operation: HsmOperation): LatencyWindow {
    let window = this.#latencies.get(operation);
    if (window === undefined) this.#latencies.set(operation, (window = new LatencyWindow()));
    return window;
  }

  /** Equally busy members take turns. */
  #leastBusy(members: readonly Member[]): Member | undefined {
    this.#turn += 1;
    let chosen: Member | undefined;
    for (let offset = 0; offset < members.length; offset += 1) {
      const member = members[(this.#turn + offset) % members.length];
      if (member !== undefined && (chosen === undefined || this.#load(member) < this.#load(chosen))) chosen = member;
    }
    return chosen;
  }

  #load(member: Member): number {
    return this.#underWay.get(member) ?? 0;
  }
}

/** The attempts of one call that are under way together. */
class Race<T extends HedgedAnswer> {
  readonly #onEnd: (end: HedgedEnd<T>) => void;
  readonly #failures: FailedTry[] = [];
  #open = 0;
  #ended = false;

  constructor(onEnd: (end: HedgedEnd<T>) => void) {
    this.#onEnd = onEnd;
  }

  enter(): void {
    this.#open += 1;
  }

  /**
   * A failure waits for the other attempt, unless it is the caller's own: every member would answer the same. @returns
   * whether it ended the race
   */
  take(end: TryEnd<T>): boolean {
    this.#open -= 1;
    if (this.#ended) {
      if ('value' in end) discard(end.value);
      return false;
    }
    if ('value' in end) {
      this.#end(end);
    } else {
      this.#failures.push(end.failed);
      if (this.#open === 0 || end.failed.classification.callerFault) {
        const [first = end.failed, ...others] = this.#failures;
        this.#end({ failures: [first, ...others] });
      }
    }
    return this.#ended;
  }

  /** Nobody waits for its end any more. */
  abandon(): void {
    this.#ended = true;
  }

  #end(end: HedgedEnd<T>): void {
    this.#ended = true;
    this.#onEnd(end);
  }
}

/** Zeroes the secrets in an answer that is not used (invariant 11). */
function discard(answer: HedgedAnswer): void {
  if (answer instanceof Secret) answer.destroy();
  else if ('plaintext' in answer) answer.plaintext.destroy();
}
