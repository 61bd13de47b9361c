import type { Clock } from '../clock.js';
import { HoldfastError } from '../errors.js';
import type { HsmEvents } from './events.js';
import type { HsmCall } from '../calls/hsm-call.js';
import { callerDeadlinePassed, callerError, isNativeFailure, classify, type Classification } from './failure.js';
import type { Member } from './member.js';
import type { NativeFailure, NativeMaterialReference } from './native.js';
import { bestOutlook, type Outlook, retryAfterFailure } from './outlook.js';
import type { ReturnValues } from './return-values.js';
import { type HsmOperation, isUse } from './attempts.js';

/** The dependencies for classifying a failure and bounding an attempt. */
export interface MemberSetTools {
  clock: Clock;
  events: HsmEvents;
  returnValues: ReturnValues;
  /** Maximum time for one attempt. */
  operationTimeoutMs: number;
}

/** The object of an operation, for alerts and for the next probe. */
export interface OperationTarget {
  operation: HsmOperation;
  materialId?: string;
  reference?: NativeMaterialReference;
  /** The material under which each attempt encrypts, and spends one of its encryptions. */
  encryptsUnder?: string;
}

/** The addon begins nothing with less than a millisecond left. */
const leastTimeMs = 2;

/** The deadline of a request, and who set it. */
type TimeBound = Pick<HsmCall, 'deadlineMs' | 'deadlineIsCallers'>;

/** A failure of the addon and its classification. */
export interface JudgedFailure {
  failure: NativeFailure;
  classification: Classification;
}

/** The members of a cluster that share its work, and the one place that classifies their failures. */
export class MemberSet {
  /** All members of the configuration, open or not. */
  readonly members: readonly Member[];
  readonly #tools: MemberSetTools;

  constructor(tools: MemberSetTools, members: readonly Member[]) {
    this.#tools = tools;
    this.members = members;
  }

  memberAt(index: number): Member | undefined {
    // A loop, because this is on the path of every request.
    for (const member of this.members) if (member.index === index) return member;
    return undefined;
  }

  /** How many take work. */
  get admittedCount(): number {
    let count = 0;
    for (const member of this.members) if (member.isAdmitted) count += 1;
    return count;
  }

  /** Those that take work and are not in `failed`. */
  untried(failed: ReadonlySet<Member | undefined>): Member[] {
    return this.members.filter((member) => member.isAdmitted && !failed.has(member));
  }

  /** The deadline of one attempt. @throws DEPENDENCY_TIMEOUT when the request's own is over. */
  tryDeadlineMs({ deadlineMs, deadlineIsCallers = false }: TimeBound): number {
    const nowMs = this.#tools.clock.monotonicMs();
    if (deadlineMs > nowMs) return Math.min(deadlineMs, nowMs + this.#tools.operationTimeoutMs);
    if (deadlineIsCallers) throw callerDeadlinePassed();
    throw new HoldfastError('DEPENDENCY_TIMEOUT', 'The request came to its deadline. Try again.');
  }

  /** Whether the caller's own deadline has passed, or leaves too little time to begin. */
  endedByCaller({ deadlineMs, deadlineIsCallers }: TimeBound): boolean {
    return deadlineIsCallers === true && deadlineMs - this.#tools.clock.monotonicMs() < leastTimeMs;
  }

  /**
   * The error for the caller of a request that finally failed here, with the earliest time for a retry.
   * @param callerDeadline the caller's own deadline ended it, and no HSM failed before
   */
  callerError({ failure, classification }: JudgedFailure, callerDeadline: boolean): HoldfastError {
    const away = this.members.filter((member) => !member.isAdmitted);
    const outlooks = { whole: this.outlook(), away: bestOutlook(away.map((member) => member.outlook)) };
    return callerError(classification, failure, retryAfterFailure(classification, outlooks), callerDeadline);
  }

  /** When any of the members will take work without an operator. */
  outlook(): Outlook {
    return bestOutlook(this.members.map((member) => member.outlook));
  }

  /**
   * Classifies a failure and reports it to the member's breaker and to the operator. Rethrows errors that are not
   * failures of the addon.
   */
  judge(error: unknown, target: OperationTarget): JudgedFailure {
    if (!isNativeFailure(error)) throw error;
    const classification = classify(error, this.#tools.returnValues);
    const member = this.memberAt(error.member);
    if (isUse(target.operation)) member?.recordFailure(error, classification, target.reference);
    else member?.noteFailure(error, classification);
    if (member !== undefined && classification.alert !== null && target.materialId !== undefined) {
      this.#tools.events.materialAlert(member.place, target.materialId, classification.alert);
    }
    return { failure: error, classification };
  }
}
