import type { HoldfastError } from '../errors.js';
import type { EncryptionSpending } from '../clusters/hsm-cluster.js';
import type { HsmCall } from '../calls/hsm-call.js';
import { isProvisional, mayBeAskedAgain } from './failure.js';
import type { HedgedAnswer, Hedging, TryEnd } from './hedging.js';
import type { Member } from './member.js';
import type { NativeFailure, NativePool, NativeResult } from './native.js';
import type { JudgedFailure, MemberSet, MemberSetTools, OperationTarget } from './member-set.js';
import { tryShareMs } from './try-deadline.js';
import { type AttemptListener, watchAttempt } from './attempts.js';

/**
 * The tools that a cluster gives its failover: the budget that each attempt of an encryption spends from, and the
 * cancellation of attempts.
 */
export interface FailoverTools extends MemberSetTools {
  pool: Pick<NativePool, 'lastTicket' | 'cancel'>;
  encryptionBudget: EncryptionSpending;
  /** Called for every attempt of every operation, if there is a listener. */
  onTried?: AttemptListener | undefined;
  /** Undefined if it is off. */
  hedging?: Hedging | undefined;
}

/** Posts one attempt: to this member, or to the member of the pool's choice. */
export type MemberOperation<T> = (member: number | null, deadlineMs: number) => Promise<NativeResult<T>>;

/** The members tried in one run of an operation, and the next one. */
class FailoverState {
  readonly failed = new Set<Member | undefined>();
  /** Those that had lost a session or a handle, and may be tried once more. */
  readonly lost = new Set<Member | undefined>();
  /** Undefined: the member of the pool's choice. */
  target: Member | undefined;
  tries = 0;
  /**
   * A ciphertext was refused, and the canary decrypted afterwards: the HSM may have recovered in between. The
   * ciphertext is bad if it is refused once more.
   */
  doubted = false;
  /** It has waited in a queue for its whole share of the time. */
  waited = false;
  /** An attempt failed because of an HSM. */
  hsmFailed = false;
  #lastFailure: NativeFailure | undefined;

  /** The log of a failed request has every attempt, the last one first. */
  note({ failure, classification }: JudgedFailure): void {
    this.hsmFailed ||= classification.countsAgainstBreaker;
    if (this.#lastFailure !== undefined) failure.cause = this.#lastFailure;
    this.#lastFailure = failure;
  }
}

/**
 * Runs operations that may be repeated. They are tried on another member while the failure is a member's own and the
 * deadline allows it: callers see no error while one member is healthy.
 */
export class Failover {
  readonly #clusterId: string;
  readonly #tools: FailoverTools;
  readonly #memberSet: MemberSet;

  constructor(clusterId: string, tools: FailoverTools, memberSet: MemberSet) {
    this.#clusterId = clusterId;
    this.#tools = tools;
    this.#memberSet = memberSet;
  }

  /**
   * First on the member of the pool's choice, then on each admitted member that has not failed yet. A member that had
   * only lost a session or a handle may be tried once more, after the others.
   */
  async run<T extends HedgedAnswer>(target: OperationTarget, call: HsmCall, operation: MemberOperation<T>): Promise<T> {
    const { hedging } = this.#tools;
    const state = new FailoverState();
    call.cancellation?.throwIfCancelled();
    if (hedging !== undefined) {
      const hedged = await this.#hedged(hedging, target, call, operation, state);
      if (hedged !== undefined) return hedged.value;
    }
    for (;;) {
      call.cancellation?.throwIfCancelled();
      // Retries spend too: it is unknown how far the failed attempt came (invariant 9).
      if (!this.#trySpend(target)) await this.#spend(target);
      const untilMs = this.#shareMs(call, state.waited ? 1 : this.#memberSet.untried(state.failed).length);
      const watched = watchAttempt(this.#tools, this.#clusterId, target.operation, call, state.tries);
      try {
        const result = await this.#post(operation, state.target, untilMs, call);
        const member = this.#memberSet.memberAt(result.member);
        member?.recordSuccess(result.epoch, target.reference);
        watched?.succeeded(member?.place, result);
        return result.value;
      } catch (error) {
        const judged = this.#memberSet.judge(error, target);
        watched?.failed(this.#memberSet.memberAt(judged.failure.member)?.place, judged.failure, judged.classification);
        this.#goOn(state, judged, untilMs, call);
      }
    }
  }

  /** Chooses the next member. @throws HoldfastError if no member could do better, or no time is left */
  #goOn(state: FailoverState, judged: JudgedFailure, untilMs: number, call: HsmCall): void {
    const { failure, classification } = judged;
    state.tries += 1;
    state.note(judged);
    const inTime = this.#isInTime(call);
    const goesElsewhere = failure.kind !== 'queue-deadline' || this.#isBehindAnotherLane(state, failure);
    if (inTime && !goesElsewhere && untilMs < call.deadlineMs) {
      // It waited for its whole share: the first member with a free lane gets the rest.
      state.target = undefined;
      state.waited = true;
      return;
    }
    if (isProvisional(failure, classification) && !state.doubted) {
      this.#doubt(state, this.#memberSet.memberAt(failure.member));
      return;
    }
    // A refusal before any member was reached names none: it is attributed to the member that was tried.
    const asked = this.#memberSet.memberAt(failure.member) ?? state.target;
    const mayAskAgain = mayBeAskedAgain(failure, this.#tools.returnValues) && !state.lost.has(asked);
    (mayAskAgain ? state.lost : state.failed).add(asked);
    const untried = this.#memberSet.untried(state.failed);
    const another =
      untried.find((candidate) => !state.lost.has(candidate)) ?? untried[0] ?? slowMember(state, asked, failure);
    if (!classification.retryElsewhere || another === undefined || !inTime) throw this.#error(state, judged, call);
    state.target = another;
  }

  /** Another member judges the ciphertext next, or the same one again. If no time is left, it stays unjudged. */
  #doubt(state: FailoverState, refusedBy: Member | undefined): void {
    state.doubted = true;
    state.target = this.#memberSet.untried(state.failed).find((member) => member !== refusedBy) ?? refusedBy;
  }

  /**
   * The first attempt, and one on a second member if the first is late. @returns undefined if there is no second
   * member, or if a member that has not failed may do better.
   */
  async #hedged<T extends HedgedAnswer>(
    hedging: Hedging,
    target: OperationTarget,
    call: HsmCall,
    operation: MemberOperation<T>,
    state: FailoverState,
  ): Promise<{ value: T } | undefined> {
    const members = this.#memberSet.untried(state.failed);
    if (members.length < 2) return undefined;
    if (!this.#trySpend(target)) await this.#spend(target);
    const firstUntilMs = this.#shareMs(call, members.length);
    const end = await hedging.ask<T>({
      operation: target.operation,
      members,
      ask: (member, tryNumber) => {
        // The second attempt too leaves its share to the members not yet tried.
        const untilMs = tryNumber === 0 ? firstUntilMs : this.#shareMs(call, members.length - 1);
        return this.#hedge(member, target, call, tryNumber, () => this.#post(operation, member, untilMs, call));
      },
      mayAskAgain: () => this.#isInTime(call) && call.cancellation?.isCancelled !== true && this.#trySpend(target),
    });
    if ('value' in end) return end;
    for (const each of end.failures) state.note(each);
    const last = end.failures.at(-1) ?? end.failures[0];
    const { failure, classification } = last;
    const inTime = this.#isInTime(call);
    // It waited for a lane of that member: the first member with a free lane gets the remaining time.
    if (inTime && failure.kind === 'queue-deadline') return undefined;
    const refusal = end.failures.find((each) => isProvisional(each.failure, each.classification));
    for (const each of end.failures) {
      if (each === refusal || mayBeAskedAgain(each.failure, this.#tools.returnValues)) continue;
      state.failed.add(each.member);
    }
    state.tries = Math.max(1, state.failed.size);
    if (refusal !== undefined) {
      this.#doubt(state, refusal.member);
      return undefined;
    }
    state.target = state.failed.size === 0 ? undefined : this.#memberSet.untried(state.failed)[0];
    const noOther = this.#memberSet.untried(state.failed).length === 0;
    if (!classification.retryElsewhere || !inTime || noOther) throw this.#error(state, last, call);
    return undefined;
  }

  #error({ hsmFailed }: FailoverState, judged: JudgedFailure, call: HsmCall): HoldfastError {
    return this.#memberSet.callerError(judged, !hsmFailed && this.#memberSet.endedByCaller(call));
  }

  /** One attempt of a hedged operation, whose end is classified and counted. */
  async #hedge<T>(
    member: Member,
    target: OperationTarget,
    call: HsmCall,
    triesBefore: number,
    operation: () => Promise<NativeResult<T>>,
  ): Promise<TryEnd<T>> {
    const watched = watchAttempt(this.#tools, this.#clusterId, target.operation, call, triesBefore);
    try {
      const result = await operation();
      member.recordSuccess(result.epoch, target.reference);
      watched?.succeeded(member.place, result);
      return { value: result.value };
    } catch (error) {
      const { failure, classification } = this.#memberSet.judge(error, target);
      watched?.failed(member.place, failure, classification);
      return { failed: { failure, classification, member } };
    }
  }

  #post<T>(
    operation: MemberOperation<T>,
    target: Member | undefined,
    untilMs: number,
    { cancellation }: HsmCall,
  ): Promise<NativeResult<T>> {
    const posted = operation(target?.index ?? null, untilMs);
    if (cancellation === undefined) return posted;
    const { pool } = this.#tools;
    // Before anything else is posted: the addon identifies the operation as the last one posted.
    const ticket = pool.lastTicket();
    cancellation.onCancel(() => {
      pool.cancel(ticket);
    });
    return posted;
  }

  #trySpend({ encryptsUnder }: OperationTarget): boolean {
    return encryptsUnder === undefined || this.#tools.encryptionBudget.trySpend(encryptsUnder);
  }

  async #spend({ encryptsUnder }: OperationTarget): Promise<void> {
    if (encryptsUnder !== undefined) await this.#tools.encryptionBudget.spend(encryptsUnder);
  }

  /**
   * The deadline of one attempt: its share of the remaining time if `candidates` members could answer. So a hanging
   * member costs its callers time but no answer.
   */
  #shareMs(call: HsmCall, candidates: number): number {
    const { deadlineMs } = call;
    const untilMs = this.#memberSet.tryDeadlineMs(call);
    const nowMs = this.#tools.clock.monotonicMs();
    return Math.min(untilMs, nowMs + tryShareMs(deadlineMs - nowMs, candidates));
  }

  /**
   * Whether a lane held it, and it waited there for another lane's work on the same key, which may hang: another member
   * does better than the same one again.
   */
  #isBehindAnotherLane({ failed }: FailoverState, { epoch, member }: NativeFailure): boolean {
    return epoch > 0 && this.#memberSet.untried(failed).some(({ index }) => index !== member);
  }

  #isInTime({ deadlineMs }: HsmCall): boolean {
    return this.#tools.clock.monotonicMs() < deadlineMs;
  }
}

/**
 * The only remaining member, once more: its calls took long, but none longer than an HSM may take. The first use of a
 * key makes several, and the next one finds it proved.
 */
function slowMember(state: FailoverState, asked: Member | undefined, { kind }: NativeFailure): Member | undefined {
  if (kind !== 'overdue' || asked?.isAdmitted !== true || state.lost.has(asked)) return undefined;
  state.lost.add(asked);
  state.failed.delete(asked);
  return asked;
}
