import type { Clock } from '../clock.js';
import { HoldfastError } from '../errors.js';
import type { HsmEvents } from './events.js';
import type { HsmCall } from '../calls/hsm-call.js';
import {
  callerDeadlinePassed,
  callerError,
  isNativeFailure,
  classify,
  type Classification,
  heldElsewhere,
} from './failure.js';
import type { Member } from './member.js';
import type { MissingCopies } from './missing-copies.js';
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
  readonly #tools: MemberSetTools;
  #members: readonly Member[];
  readonly #missing: MissingCopies | undefined;

  /** @param missing of a wrapped cluster; undefined: every member has every key */
  constructor(tools: MemberSetTools, members: readonly Member[], missing?: MissingCopies) {
    this.#tools = tools;
    this.#members = members;
    this.#missing = missing;
  }

  /** All members of the configuration, open or not. */
  get members(): readonly Member[] {
    return this.#members;
  }

  /** Adds a member that is not open yet. */
  add(member: Member): void {
    this.#members = [...this.#members, member];
  }

  memberAt(index: number): Member | undefined {
    // A loop, because this is on the path of every request.
    for (const member of this.members) if (member.index === index) return member;
    return undefined;
  }

  /** The member with this name in the configuration, if it is open. */
  openMember(name: string): Member | undefined {
    return this.members.find(({ place, isOpen }) => isOpen && place.memberName === name);
  }

  /** How many take work. */
  get admittedCount(): number {
    let count = 0;
    for (const member of this.members) if (member.isAdmitted) count += 1;
    return count;
  }

  /** Those that take work and are not in `failed`, nor lack the key. */
  untried(failed: ReadonlySet<Member | undefined>, lacking?: ReadonlySet<Member>): Member[] {
    return this.members.filter(
      (member) => member.isAdmitted && !failed.has(member) && (lacking === undefined || !lacking.has(member)),
    );
  }

  /**
   * The members that must not be asked for a material, because they lack it; undefined for nearly every material. Empty
   * if all others are absent: then those that lacked it are asked, since another process may have given it to them.
   */
  lacking(materialId: string | undefined): ReadonlySet<Member> | undefined {
    if (materialId === undefined) return undefined;
    const lacking = this.#missing?.membersLacking(materialId);
    if (lacking === undefined) return undefined;
    return this.untried(lacking).length > 0 ? lacking : nobody;
  }

  /** The indexes of all members that do not lack a material. */
  indexesWithout(lacking: ReadonlySet<Member>): number[] {
    return this.members.flatMap((member) => (lacking.has(member) ? [] : [member.index]));
  }

  /** A member that was believed to lack a material has used it. */
  noteFound(materialId: string | undefined, member: Member | undefined): void {
    if (materialId !== undefined && member !== undefined) this.#missing?.forget(materialId, member);
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
    const member = this.memberAt(error.member);
    const classification = this.#isHeldElsewhere(error, target, member)
      ? heldElsewhere
      : classify(error, this.#tools.returnValues);
    if (isUse(target.operation)) member?.recordFailure(error, classification, target.reference);
    else member?.noteFailure(error, classification);
    if (member !== undefined && classification.alert !== null && target.materialId !== undefined) {
      this.#tools.events.materialAlert(member.place, target.materialId, classification.alert);
    }
    return { failure: error, classification };
  }

  /**
   * Whether only this member lacks the key: others have it, or may have it and are absent. That is no news of the key's
   * loss, and the reconciler repairs it.
   */
  #isHeldElsewhere(failure: NativeFailure, { operation, materialId }: OperationTarget, member?: Member): boolean {
    const missing = this.#missing;
    if (missing === undefined || materialId === undefined || member === undefined) return false;
    // A failing copy may lack its wrapping key instead.
    if (failure.kind !== 'material-missing' || !isUse(operation)) return false;
    const isNews = missing.note(materialId, member);
    if (missing.membersLacking(materialId)?.size === this.members.length) return false;
    if (isNews) this.#tools.events.copyMissing(member.place, materialId, failure);
    return true;
  }
}

const nobody: ReadonlySet<Member> = new Set();
