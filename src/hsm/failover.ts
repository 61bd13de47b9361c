import type { CancellationListener } from '../calls/cancellation.js';
import type { HsmCall } from '../calls/hsm-call.js';
import type { EncryptionSpending } from '../clusters/hsm-cluster.js';
import type { HoldfastError } from '../errors.js';
import { type Answer, type AnswerReceiver, type AnswerTable, type DataOperations, PromisedAnswer } from './answers.js';
import { type AttemptListener, type WatchedAttempt, watchAttempt } from './attempts.js';
import type { RepeatableOperation } from './data-operations.js';
import { FailoverState } from './failover-state.js';
import { isProvisional, mayBeAskedAgain } from './failure.js';
import type { FailedTry, HedgedAnswer, HedgedEnd, Hedging, TryEnd } from './hedging.js';
import type { JudgedFailure, MemberSet, MemberSetTools } from './member-set.js';
import type { Member } from './member.js';
import type { NativeFailure, NativeMembers, NativePool } from './native.js';
import { tryShareMs } from './try-deadline.js';

/**
 * The tools that a cluster gives its failover: the way to the addon, the budget that each attempt of an encryption
 * spends from, and the cancellation of attempts.
 */
export interface FailoverTools extends MemberSetTools {
  pool: DataOperations & Pick<NativePool, 'cancel'>;
  answers: Pick<AnswerTable, 'post'>;
  encryptionBudget: EncryptionSpending;
  /** Called for every attempt of every operation, if there is a listener. */
  onTried?: AttemptListener | undefined;
  /** Second attempts on another member; undefined if they are off. */
  hedging?: Hedging | undefined;
}

/** The parts of a connected cluster that every run needs. */
interface Cluster {
  clusterId: string;
  tools: FailoverTools;
  memberSet: MemberSet;
}

/**
 * Runs operations that may be repeated. They are tried on another member while the failure is a member's own and the
 * deadline allows it: callers see no error while one member is healthy.
 */
export class Failover {
  readonly #cluster: Cluster;

  constructor(clusterId: string, tools: FailoverTools, memberSet: MemberSet) {
    this.#cluster = { clusterId, tools, memberSet };
  }

  /**
   * Tries the member of the pool's choice first, then each admitted member that has not failed yet. A member that had
   * only lost a session or a handle may be tried once more, after the others.
   */
  run<T extends HedgedAnswer>(operation: RepeatableOperation<T>, call: HsmCall): Promise<T> {
    return new Promise((resolve, reject) => {
      new FailoverRun(this.#cluster, operation, call, resolve, reject).begin();
    });
  }
}

/**
 * The attempts of one operation. The answer of an attempt ends the run or posts the next attempt, in the turn in which
 * it comes: there is no promise but the one for the caller.
 */
class FailoverRun<T extends HedgedAnswer> implements AnswerReceiver {
  readonly #cluster: Cluster;
  readonly #operation: RepeatableOperation<T>;
  readonly #call: HsmCall;
  readonly #resolve: (result: T) => void;
  readonly #reject: (error: unknown) => void;
  #state: FailoverState | undefined;
  /** The deadline of the present attempt. */
  #untilMs = 0;
  #watched: WatchedAttempt | undefined;
  /** Members that are not asked, because they lack the key; undefined for nearly every operation. */
  #lacking: ReadonlySet<Member> | undefined;

  constructor(
    cluster: Cluster,
    operation: RepeatableOperation<T>,
    call: HsmCall,
    resolve: (result: T) => void,
    reject: (error: unknown) => void,
  ) {
    this.#cluster = cluster;
    this.#operation = operation;
    this.#call = call;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  begin(): void {
    const { tools, memberSet } = this.#cluster;
    this.#lacking = memberSet.lacking(this.#operation.materialId);
    if (tools.hedging === undefined || this.#candidateCount() < 2) this.#next();
    else void this.#hedge(tools.hedging);
  }

  answered(answer: Answer): void {
    try {
      const member = this.#cluster.memberSet.memberAt(answer.member);
      member?.recordSuccess(answer.epoch, this.#operation.reference);
      if (this.#lacking !== undefined) this.#cluster.memberSet.noteFound(this.#operation.materialId, member);
      this.#watched?.succeeded(member?.place, answer);
      this.#resolve(this.#operation.read(answer));
    } catch (error) {
      this.#reject(error);
    }
  }

  failed(failure: NativeFailure): void {
    try {
      const { memberSet } = this.#cluster;
      const judged = memberSet.judge(failure, this.#operation);
      this.#watched?.failed(memberSet.memberAt(failure.member)?.place, failure, judged.classification);
      this.#goOn((this.#state ??= new FailoverState()), judged);
    } catch (error) {
      this.#reject(error);
      return;
    }
    this.#next();
  }

  /** Pays for the next attempt, and posts it. */
  #next(): void {
    try {
      this.#call.cancellation?.throwIfCancelled();
      // Retries spend too: it is unknown how far the failed attempt came (invariant 9).
      if (this.#trySpend()) this.#attempt();
      else void this.#attemptOnceSpent();
    } catch (error) {
      this.#reject(error);
    }
  }

  async #attemptOnceSpent(): Promise<void> {
    try {
      await this.#spend();
      this.#attempt();
    } catch (error) {
      this.#reject(error);
    }
  }

  #attempt(): void {
    const { clusterId, tools } = this.#cluster;
    const state = this.#state;
    this.#untilMs = this.#shareMs(state?.waited === true ? 1 : this.#candidateCount());
    this.#watched = watchAttempt(tools, clusterId, this.#operation.operation, this.#call, state?.tries ?? 0);
    this.#post(this, state?.target, this.#untilMs);
  }

  #post(receiver: AnswerReceiver, target: Member | undefined, untilMs: number): void {
    const { pool, answers } = this.#cluster.tools;
    const members = target?.index ?? this.#anyMember();
    const ticket = answers.post(this.#operation, pool, members, untilMs, receiver);
    this.#call.cancellation?.onCancel(new PostedAttempt(pool, ticket));
  }

  #anyMember(): NativeMembers {
    return this.#lacking === undefined ? null : this.#cluster.memberSet.indexesWithout(this.#lacking);
  }

  /** How many members may still answer. */
  #candidateCount(): number {
    const { memberSet } = this.#cluster;
    if (this.#state === undefined && this.#lacking === undefined) return memberSet.admittedCount;
    return this.#untried(this.#state).length;
  }

  #untried(state: FailoverState | undefined): Member[] {
    return this.#cluster.memberSet.untried(state?.failed ?? noMember, this.#lacking);
  }

  /** Chooses the next member. @throws HoldfastError if no member could do better, or no time is left */
  #goOn(state: FailoverState, judged: JudgedFailure): void {
    const { tools, memberSet } = this.#cluster;
    const { failure, classification } = judged;
    state.tries += 1;
    state.note(judged);
    const inTime = this.#isInTime();
    const goesElsewhere = failure.kind !== 'queue-deadline' || this.#isBehindAnotherLane(state, failure);
    if (inTime && !goesElsewhere && this.#untilMs < this.#call.deadlineMs) {
      // It waited for its whole share: the first member with a free lane gets the rest.
      state.target = undefined;
      state.waited = true;
      return;
    }
    if (isProvisional(failure, classification) && !state.doubted) {
      this.#doubt(state, memberSet.memberAt(failure.member));
      return;
    }
    // A refusal before any member was reached names none: it is attributed to the member that was tried.
    const asked = memberSet.memberAt(failure.member) ?? state.target;
    const mayAskAgain = mayBeAskedAgain(failure, tools.returnValues) && !state.lost.has(asked);
    (mayAskAgain ? state.lost : state.failed).add(asked);
    const untried = this.#untried(state);
    const another =
      untried.find((candidate) => !state.lost.has(candidate)) ?? untried[0] ?? slowMember(state, asked, failure);
    if (!classification.retryElsewhere || another === undefined || !inTime) throw this.#error(state, judged);
    state.target = another;
  }

  /** Another member judges the ciphertext next, or the same one again. If no time is left, it stays unjudged. */
  #doubt(state: FailoverState, refusedBy: Member | undefined): void {
    state.doubted = true;
    const untried = this.#untried(state);
    state.target = untried.find((member) => member !== refusedBy) ?? refusedBy;
  }

  /**
   * Runs the first attempt, and one on a second member if the first is late. If both fail, and a member that has not
   * failed may do better, further attempts follow.
   */
  async #hedge(hedging: Hedging): Promise<void> {
    try {
      const end = await this.#askTwo(hedging);
      if ('value' in end) {
        this.#resolve(end.value);
        return;
      }
      this.#goOnAfterHedge((this.#state ??= new FailoverState()), end.failures);
    } catch (error) {
      this.#reject(error);
      return;
    }
    this.#next();
  }

  async #askTwo(hedging: Hedging): Promise<HedgedEnd<T>> {
    const { cancellation } = this.#call;
    cancellation?.throwIfCancelled();
    const members = this.#untried(undefined);
    if (!this.#trySpend()) await this.#spend();
    const firstUntilMs = this.#shareMs(members.length);
    return hedging.ask<T>({
      operation: this.#operation.operation,
      members,
      // The second attempt too leaves its share to the members not yet tried.
      ask: (member, tryNumber) =>
        this.#hedgedAttempt(member, tryNumber, tryNumber === 0 ? firstUntilMs : this.#shareMs(members.length - 1)),
      mayAskAgain: () => this.#isInTime() && cancellation?.isCancelled !== true && this.#trySpend(),
    });
  }

  /** One attempt of a hedged operation, whose end is classified and counted. */
  async #hedgedAttempt(member: Member, triesBefore: number, untilMs: number): Promise<TryEnd<T>> {
    const { clusterId, tools, memberSet } = this.#cluster;
    const watched = watchAttempt(tools, clusterId, this.#operation.operation, this.#call, triesBefore);
    try {
      const answer = new PromisedAnswer(this.#operation);
      this.#post(answer, member, untilMs);
      const result = await answer.promise;
      member.recordSuccess(result.epoch, this.#operation.reference);
      if (this.#lacking !== undefined) memberSet.noteFound(this.#operation.materialId, member);
      watched?.succeeded(member.place, result);
      return { value: result.value };
    } catch (error) {
      const { failure, classification } = memberSet.judge(error, this.#operation);
      watched?.failed(member.place, failure, classification);
      return { failed: { failure, classification, member } };
    }
  }

  /** Chooses the next member. @throws HoldfastError if no member could do better, or no time is left */
  #goOnAfterHedge(state: FailoverState, failures: readonly [FailedTry, ...FailedTry[]]): void {
    const { tools } = this.#cluster;
    for (const each of failures) state.note(each);
    const last = failures.at(-1) ?? failures[0];
    const { failure, classification } = last;
    const inTime = this.#isInTime();
    // It waited for a lane of that member: the first member with a free lane gets the remaining time.
    if (inTime && failure.kind === 'queue-deadline') return;
    const refusal = failures.find((each) => isProvisional(each.failure, each.classification));
    for (const each of failures) {
      if (each === refusal || mayBeAskedAgain(each.failure, tools.returnValues)) continue;
      state.failed.add(each.member);
    }
    state.tries = Math.max(1, state.failed.size);
    if (refusal !== undefined) {
      this.#doubt(state, refusal.member);
      return;
    }
    const untried = this.#untried(state);
    state.target = state.failed.size === 0 ? undefined : untried[0];
    if (!classification.retryElsewhere || !inTime || untried.length === 0) throw this.#error(state, last);
  }

  #error({ hsmFailed }: FailoverState, judged: JudgedFailure): HoldfastError {
    const { memberSet } = this.#cluster;
    return memberSet.callerError(judged, !hsmFailed && memberSet.endedByCaller(this.#call));
  }

  #trySpend(): boolean {
    const { encryptsUnder } = this.#operation;
    return encryptsUnder === undefined || this.#cluster.tools.encryptionBudget.trySpend(encryptsUnder);
  }

  async #spend(): Promise<void> {
    const { encryptsUnder } = this.#operation;
    if (encryptsUnder !== undefined) await this.#cluster.tools.encryptionBudget.spend(encryptsUnder);
  }

  /**
   * The deadline of one attempt: its share of the remaining time if `candidates` members could answer. So a hanging
   * member costs its callers time but no answer.
   */
  #shareMs(candidates: number): number {
    const { tools, memberSet } = this.#cluster;
    const untilMs = memberSet.tryDeadlineMs(this.#call);
    const nowMs = tools.clock.monotonicMs();
    return Math.min(untilMs, nowMs + tryShareMs(this.#call.deadlineMs - nowMs, candidates));
  }

  /**
   * Whether the operation had a lane, but waited there for another lane's work on the same key. That may hang, so
   * another member does better than the same one.
   */
  #isBehindAnotherLane(state: FailoverState, { epoch, member }: NativeFailure): boolean {
    return epoch > 0 && this.#untried(state).some(({ index }) => index !== member);
  }

  #isInTime(): boolean {
    return this.#cluster.tools.clock.monotonicMs() < this.#call.deadlineMs;
  }
}

const noMember: ReadonlySet<Member> = new Set();

/** An attempt that a cancelled request takes back. */
class PostedAttempt implements CancellationListener {
  readonly #pool: Pick<NativePool, 'cancel'>;
  readonly #ticket: number;

  constructor(pool: Pick<NativePool, 'cancel'>, ticket: number) {
    this.#pool = pool;
    this.#ticket = ticket;
  }

  cancelled(): void {
    this.#pool.cancel(this.#ticket);
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
