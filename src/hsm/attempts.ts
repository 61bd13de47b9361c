import type { Clock } from '../clock.js';
import type { HsmCall } from '../calls/hsm-call.js';
import type { OperationTrace } from '../calls/trace.js';
import type { MemberPlace } from './events.js';
import type { Classification } from './failure.js';
import type { NativeFailure, NativePool, NativeResult } from './native.js';
import type { NativeDataOperations } from './native-answers.js';
import type { ReturnValues } from './return-values.js';

type KebabCase<Text extends string> = Text extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? '' : '-'}${Lowercase<First>}${KebabCase<Rest>}`
  : Text;

/** The operations of the addon's pool that run in the module. */
type PoolOperation =
  | 'inventory'
  | keyof NativeDataOperations
  | {
      [Name in keyof NativePool]: NativePool[Name] extends (...parameters: never[]) => Promise<NativeResult<unknown>>
        ? Name
        : never;
    }[keyof NativePool];

/** An operation of a member, by its name in metrics and traces: `generate-key` for the pool's `generateKey`. */
export type HsmOperation = KebabCase<PoolOperation>;

/** Operations whose outcome does not concern the keys that callers use: making, copying, destroying, listing and proving, and witnesses. */
const otherThanUse: ReadonlySet<HsmOperation> = new Set([
  'generate-key',
  'generate-mac-key',
  'wrap-key',
  'unwrap-key',
  'backup-mac',
  'prove-blob',
  'rewrap-blob',
  'resolve-duplicates',
  'generations',
  'destroy-key',
  'read-attributes',
  'inventory',
  'witnesses',
  'write-witness',
  'probe',
]);

/** Whether its outcome concerns the member's use: only that decides whether the member takes work. */
export function isUse(operation: HsmOperation): boolean {
  return !otherThanUse.has(operation);
}

/** A finished attempt of one operation. */
export interface FinishedAttempt {
  clusterId: string;
  /** The member that was tried; undefined if none was reached. */
  memberName: string | undefined;
  operation: HsmOperation;
  /** The time from the call of the addon to its answer: waiting, the token calls, and the way back. */
  durationMs: number;
  /** How long it waited for a lane, and how long it held the lane; undefined if it failed, or needed none. */
  lane: { waitMs: number; workMs: number } | undefined;
  /**
   * Why it failed; undefined if it succeeded. `returnValue` is a name of the addon's table; other values are
   * `vendor-defined`.
   */
  failure: { kind: NativeFailure['kind']; returnValue: string | undefined; classification: Classification } | undefined;
}

/** The times in a `NativeResult`; undefined for work that runs on no lane. */
export interface LaneResult {
  epoch: number | undefined;
  startedMs: number | undefined;
  laneMs: number | undefined;
}

/** Called for every attempt. */
export type AttemptListener = (finished: FinishedAttempt) => void;

/** The dependencies for measuring an attempt; a part of a cluster's tools. */
export interface AttemptTools {
  clock: Clock;
  returnValues: ReturnValues;
  /** The listener. Without it and without a trace of the request, measuring an attempt costs nothing. */
  onTried?: AttemptListener | undefined;
}

/** An attempt under way. Exactly one of `succeeded` and `failed` ends it. */
export class WatchedAttempt {
  readonly #tools: AttemptTools;
  readonly #clusterId: string;
  readonly #operation: HsmOperation;
  readonly #startedMs: number;
  readonly #trace: OperationTrace | undefined;

  constructor(tools: AttemptTools, clusterId: string, operation: HsmOperation, trace: OperationTrace | undefined) {
    this.#tools = tools;
    this.#clusterId = clusterId;
    this.#operation = operation;
    this.#trace = trace;
    this.#startedMs = tools.clock.monotonicMs();
  }

  succeeded(place: MemberPlace | undefined, { epoch, startedMs, laneMs }: LaneResult): void {
    this.#trace?.end(answeredBy(place, epoch));
    const onLane = startedMs !== undefined && laneMs !== undefined;
    const lane = onLane ? { waitMs: Math.max(0, startedMs - this.#startedMs), workMs: laneMs } : undefined;
    this.#tell(place, lane, undefined);
  }

  failed(place: MemberPlace | undefined, failure: NativeFailure, classification: Classification): void {
    const returnValue = failure.rv === 0 ? undefined : this.#tools.returnValues(failure.rv);
    this.#trace?.end(
      {
        ...answeredBy(place, failure.epoch),
        'holdfast.failure.kind': failure.kind,
        ...(returnValue === undefined ? {} : { 'pkcs11.return_value': returnValue.name }),
        ...(failure.functionName === '' ? {} : { 'pkcs11.function': failure.functionName }),
      },
      returnValue?.name ?? failure.kind,
    );
    const known = returnValue?.name.startsWith('CKR_') === false ? 'vendor-defined' : returnValue?.name;
    this.#tell(place, undefined, { kind: failure.kind, returnValue: known, classification });
  }

  #tell(place: MemberPlace | undefined, lane: FinishedAttempt['lane'], failure: FinishedAttempt['failure']): void {
    this.#tools.onTried?.({
      clusterId: this.#clusterId,
      memberName: place?.memberName,
      operation: this.#operation,
      durationMs: this.#tools.clock.monotonicMs() - this.#startedMs,
      lane,
      failure,
    });
  }
}

/**
 * @param triesBefore how many attempts of the same operation failed. @returns undefined if there is no listener and no
 * trace
 */
export function watchAttempt(
  tools: AttemptTools,
  clusterId: string,
  operation: HsmOperation,
  call: Pick<HsmCall, 'trace'> | undefined,
  triesBefore: number,
): WatchedAttempt | undefined {
  const parent = call?.trace;
  if (tools.onTried === undefined && parent === undefined) return undefined;
  const trace = parent?.startOperation(`hsm ${operation} try`, {
    'holdfast.cluster.id': clusterId,
    'holdfast.hsm.operation': operation,
    'holdfast.hsm.retried': triesBefore > 0,
    'holdfast.hsm.try': triesBefore + 1,
  });
  return new WatchedAttempt(tools, clusterId, operation, trace);
}

function answeredBy(place: MemberPlace | undefined, epoch: number | undefined): Record<string, string | number> {
  return {
    ...(place === undefined ? {} : { 'holdfast.member': place.memberName }),
    ...(epoch === undefined ? {} : { 'holdfast.session_epoch': epoch }),
  };
}
