import { type Clock, Deadlines } from '../clock.js';
import type { Classification } from './failure.js';
import { LatencyWindow } from './latency-window.js';
import type { Member } from './member.js';
import type { NativeDataKey, NativeFailure, NativeSealed } from './native.js';
import type { HsmOperation } from './attempts.js';

/** A second try before this would cost more than it saves. */
const leastDelayMs = 1;
/** Each call earns so much of a second try: of any number of calls, no larger share is asked twice. */
const hedgedShare = 0.1;
/** What a quiet time saves up, in second tries. */
const mostSaved = 10;

/** What an operation that may be repeated answers. */
export type HedgedAnswer = Uint8Array | NativeSealed | NativeDataKey;

/** A try that failed, judged and told to the member's breaker. */
export interface FailedTry {
  failure: NativeFailure;
  classification: Classification;
  member: Member;
}

/** Told of every second try that is sent, and of those that answer first. */
export type HedgeListener = (operation: HsmOperation, what: 'sent' | 'won') => void;

/** How one try ended. */
export type TryEnd<T> = { value: T } | { failed: FailedTry };

/** One operation that may be asked of two members, as `Failover` hands it over. */
export interface HedgedCall<T> {
  operation: HsmOperation;
  /** At least two; those that are admitted are asked. */
  members: readonly Member[];
  /** One try. @param tryNumber 0, or 1 for the second. Rejects only with what is no failure of the addon. */
  ask(member: Member, tryNumber: number): Promise<TryEnd<T>>;
  /** Pays for the second try, where that can be paid. */
  mayAskAgain(): boolean;
}

/** The answer of whoever was first, or whatever failed, in that order. */
export type HedgedEnd<T> = { value: T } | { failures: [FailedTry, ...FailedTry[]] };

/**
 * Asks a second member where the first is late: later than 95 % of the latest successful tries of that operation. The
 * first success counts; of the other one only its duration and its classification do. The one that has least under way is asked
 * first. State of one cluster, for as long as it is connected.
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
    if (first === undefined) throw new Error('Nobody can be asked.');
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
      const enter = (member: Member, tryNumber: number): void => {
        race.enter();
        this.#try(call, member, tryNumber).then((end) => {
          const first = race.take(end);
          if (first && tryNumber === 1 && 'value' in end) this.#onHedge(call.operation, 'won');
        }, reject);
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

  /** Who is asked too, once that is paid for. */
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

  /** Among equals each has its turn. */
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

/** Tries of one call that are under way together. */
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

  /** A failure waits for the other try, unless it is the caller's own: every member would answer the same. @returns whether it ended the race */
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

  #end(end: HedgedEnd<T>): void {
    this.#ended = true;
    this.#onEnd(end);
  }
}

/** Zeroes what is secret in an answer that nobody takes (invariant 11). */
function discard(answer: HedgedAnswer): void {
  if (answer instanceof Uint8Array) answer.fill(0);
  else if ('plaintext' in answer) answer.plaintext.fill(0);
}
