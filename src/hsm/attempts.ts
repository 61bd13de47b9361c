import type { Clock } from '../clock.js';
import type { HsmCall } from '../calls/hsm-call.js';
import type { OperationTrace } from '../calls/trace.js';
import type { MemberPlace } from './events.js';
import type { Classification } from './failure.js';
import type { NativeFailure, NativePool, NativeResult } from './native.js';
import type { ReturnValues } from './return-values.js';

type KebabCase<Text extends string> = Text extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? '' : '-'}${Lowercase<First>}${KebabCase<Rest>}`
  : Text;

/** The operations of the addon's pool that run in the module. */
type PoolOperation =
  | 'inventory'
  | {
      [Name in keyof NativePool]: NativePool[Name] extends (...parameters: never[]) => Promise<NativeResult<unknown>>
        ? Name
        : never;
    }[keyof NativePool];

/** What a member can be asked to do, as metrics and traces name it: `generate-key` for the pool's `generateKey`. */
export type HsmOperation = KebabCase<PoolOperation>;

/** Whether keys can be made, destroyed, listed or proved says nothing about what callers use them for. */
const otherThanUse: ReadonlySet<HsmOperation> = new Set([
  'generate-key',
  'destroy-key',
  'read-attributes',
  'inventory',
  'probe',
]);

/** Whether its outcome speaks about the member's use: only that decides whether the member takes work. */
export function isUse(operation: HsmOperation): boolean {
  return !otherThanUse.has(operation);
}

/** One try of one operation that has ended. */
export interface FinishedAttempt {
  clusterId: string;
  /** Undefined where no member was reached. */
  memberName: string | undefined;
  operation: HsmOperation;
  /** From handing it to the addon to its answer: waiting, the call, and the way back. */
  durationMs: number;
  /** How long it waited for a lane, and how long the lane had it; undefined where it failed, or needed none. */
  lane: { waitMs: number; workMs: number } | undefined;
  /** Undefined when it succeeded. `returnValue` is a name of the addon's table; other values are `vendor-defined`. */
  failure: { kind: NativeFailure['kind']; returnValue: string | undefined; classification: Classification } | undefined;
}

/** What of a `NativeResult` tells when it was made; undefined for work that runs on no lane. */
export interface LaneResult {
  epoch: number | undefined;
  startedMs: number | undefined;
  laneMs: number | undefined;
}

/** Told of every try. */
export type AttemptListener = (finished: FinishedAttempt) => void;

/** What it takes to measure a try; a part of what a cluster has. */
export interface AttemptTools {
  clock: Clock;
  returnValues: ReturnValues;
  /** Where nobody listens and the request is not traced, a try costs nothing. */
  onTried?: AttemptListener | undefined;
}

/** A try under way. Exactly one of `succeeded` and `failed` ends it. */
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

/** @param triesBefore how many tries of the same operation failed. @returns undefined where nobody wants to know. */
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
