import type { HsmCall } from '../calls/hsm-call.js';
import { HoldfastError } from '../errors.js';
import { type AttemptTools, isUse, type LaneResult, watchAttempt } from './attempts.js';
import { advised, unreachable } from './failure.js';
import type { Member } from './member.js';
import type { MemberSet, OperationTarget } from './member-set.js';
import type { NativeResult } from './native.js';
import { retryOptions } from './outlook.js';

/** Operations on one member that no other member can do instead: each is measured, and its failure classified. */
export class MemberCalls {
  readonly #clusterId: string;
  readonly #tools: AttemptTools;
  readonly #memberSet: MemberSet;

  constructor(clusterId: string, tools: AttemptTools, memberSet: MemberSet) {
    this.#clusterId = clusterId;
    this.#tools = tools;
    this.#memberSet = memberSet;
  }

  /** @returns the value of the result. @throws HoldfastError, as does `judged` */
  async once<T>(
    member: Member,
    target: OperationTarget,
    call: HsmCall | undefined,
    operation: () => Promise<NativeResult<T>>,
  ): Promise<T> {
    const result = await this.judged(member, target, call, operation);
    if (isUse(target.operation)) member.recordSuccess(result.epoch, target.reference);
    return result.value;
  }

  /** Runs the operation. The member's breaker learns of its failure, but not of its success. */
  async judged<T extends LaneResult>(
    member: Member,
    target: OperationTarget,
    call: HsmCall | undefined,
    operation: () => Promise<T>,
  ): Promise<T> {
    const watched = watchAttempt(this.#tools, this.#clusterId, target.operation, call, 0);
    try {
      const result = await operation();
      watched?.succeeded(member.place, result);
      return result;
    } catch (error) {
      const judged = this.#memberSet.judge(error, target);
      watched?.failed(member.place, judged.failure, judged.classification);
      throw this.#memberSet.callerError(judged, call !== undefined && this.#memberSet.endedByCaller(call));
    }
  }

  /** KEY_UNAVAILABLE: a member that is needed takes no work. */
  noMember(cause?: string): HoldfastError {
    const retry = retryOptions(this.#memberSet.outlook());
    const message = advised(unreachable.message, retry);
    return new HoldfastError(unreachable.code, message, { cause, ...retry });
  }
}
