import { type Clock, delay } from '../clock.js';
import { type HoldfastError, toHoldfastError } from '../errors.js';
import type { Identifiers } from '../ids.js';
import type { AuditEvent } from './event.js';
import type { AuditLog } from './log.js';

/** Who acts without a request of a caller. */
export type Actor = Pick<AuditEvent, 'face' | 'principal' | 'sourceAddress'>;

/** The service itself, as AWS records its own acts with the source `AWS Internal`. */
export const serviceActor: Actor = { face: 'service', principal: 'holdfast.internal', sourceAddress: 'internal' };

/** What is done without a request. `DeleteKey` is AWS's name; AWS has no counterpart of the others. */
export type ActName =
  /** A key whose deletion date has come. */
  | 'DeleteKey'
  /** What a create that died left on a token. */
  | 'DestroyAbandonedKeyMaterial'
  /** Material that turned up on a token again after its destruction. */
  | 'DestroyReappearedKeyMaterial'
  /** Intents of creates that died. */
  | 'AbandonIntents'
  | 'CreateCatalog'
  | 'BackupCatalog'
  | 'RestoreCatalog'
  /** The clock jumped: nothing is destroyed until an operator confirms. */
  | 'HoldDeletions'
  | 'ReleaseDeletions'
  | 'ForgetLoginAttempts';

/** One act, as its record names it. */
export interface Act {
  operation: ActName;
  /** ARNs of keys; empty where it is about none. */
  resources: readonly string[];
  /** What else the record says, by `snake_case` names. Nothing secret. */
  parameters: Record<string, unknown>;
}

/** Told of an act that has ended, well or not. */
export type ActListener = (act: Act, error: HoldfastError | undefined) => void;

/** What an `ActAudit` writes with. */
export interface ActAuditTools {
  auditLog: AuditLog;
  clock: Clock;
  identifiers: Pick<Identifiers, 'requestId'>;
  actor: Actor;
  onActed: ActListener;
}

/** A file that blocks is not waited for: nothing is done then. */
const recordTimeoutMs = 5_000;

/** The record of an act could not be written. Whatever it was for has not been done, or is not acknowledged. */
export class ActUnauditedError extends Error {
  override readonly name = 'ActUnauditedError';
}

/**
 * Records what is done without a request: on disk before it is done, since it may be irrevocable, and once more with how
 * it ended. It fails closed: without the first record nothing is done (invariants 10 and 17).
 */
export class ActAudit {
  readonly #tools: ActAuditTools;

  constructor(tools: ActAuditTools) {
    this.#tools = tools;
  }

  /**
   * Records that an act begins, does it, and records how it ended.
   * @throws ActUnauditedError when a record could not be written: before the act, or after it; what `work` throws.
   */
  async perform<T>(act: Act, work: () => Promise<T>): Promise<T> {
    const { clock, identifiers } = this.#tools;
    const [requestId, startedMs] = [identifiers.requestId(), clock.monotonicMs()];
    await this.#append(act, { requestId, outcome: 'started', errorCode: null, durationMs: 0 });
    const ended = await this.#outcomeOf(work);
    const error = 'error' in ended ? ended.error : undefined;
    this.#tools.onActed(act, error === undefined ? undefined : toHoldfastError(error));
    const durationMs = Math.round(clock.monotonicMs() - startedMs);
    const outcome = error === undefined ? 'success' : 'failed';
    const errorCode = error === undefined ? null : toHoldfastError(error).code;
    await this.#append(act, { requestId, outcome, errorCode, durationMs }, error);
    if ('error' in ended) throw ended.error;
    return ended.result;
  }

  /** Records what has been done and takes nothing from anyone. @throws ActUnauditedError */
  async note(act: Act): Promise<void> {
    const requestId = this.#tools.identifiers.requestId();
    this.#tools.onActed(act, undefined);
    await this.#append(act, { requestId, outcome: 'success', errorCode: null, durationMs: 0 });
  }

  async #outcomeOf<T>(work: () => Promise<T>): Promise<{ result: T } | { error: unknown }> {
    try {
      return { result: await work() };
    } catch (error) {
      return { error };
    }
  }

  async #append(
    { operation, resources, parameters }: Act,
    ending: Pick<AuditEvent, 'requestId' | 'outcome' | 'errorCode' | 'durationMs'>,
    earlier?: unknown,
  ): Promise<void> {
    const { auditLog, clock, actor } = this.#tools;
    const { requestId, ...rest } = ending;
    const event: AuditEvent = {
      time: clock.now().toISOString(),
      requestId,
      ...actor,
      operation,
      actions: [],
      resources: [...resources],
      parameters,
      ...rest,
    };
    try {
      await this.#inTime(auditLog.append(event, { durable: true }));
    } catch (cause) {
      const message = `The audit record of ${operation} could not be written${ending.outcome === 'started' ? ': nothing was done' : ''}.`;
      throw new ActUnauditedError(message, { cause: earlier ?? cause });
    }
  }

  async #inTime(appended: Promise<void>): Promise<void> {
    const settled = new AbortController();
    const overdue = delay(this.#tools.clock, recordTimeoutMs, settled.signal).then(() => {
      if (!settled.signal.aborted) throw new Error('It was not written in time.');
    });
    try {
      await Promise.race([appended, overdue]);
    } finally {
      settled.abort();
    }
  }
}
