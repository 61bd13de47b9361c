import type { Clock } from '../clock.js';
import { type HoldfastError, toHoldfastError } from '../errors.js';
import type { Identifiers } from '../ids.js';
import type { AuditEvent } from './event.js';
import type { AuditLog } from './log.js';

/** The actor of an act that no request caused. */
export type Actor = Pick<AuditEvent, 'face' | 'principal' | 'sourceAddress'>;

/** The service itself; AWS records its own acts with the source `AWS Internal`. */
export const serviceActor: Actor = { face: 'service', principal: 'holdfast.internal', sourceAddress: 'internal' };

/** Acts that no request causes. `DeleteKey` is AWS's name; AWS has no counterpart to the others. */
export type ActName =
  /** A key whose deletion date has come. */
  | 'DeleteKey'
  /** Material that a crashed create left on a token. */
  | 'DestroyAbandonedKeyMaterial'
  /** Material that reappeared on a token after its destruction. */
  | 'DestroyReappearedKeyMaterial'
  /** Material that a member of a wrapped cluster lacked: at most 100 at a time. */
  | 'CopyKeyMaterials'
  | 'RestoreKeyMaterials'
  | 'DestroyKeysOfDrill'
  | 'DestroyDuplicateKeyMaterial'
  | 'RestoreBackup'
  /** The schedule rotates a PIN. */
  | 'RotatePin'
  /** A change of a PIN that a crash or an absent member left incomplete. */
  | 'ContinuePinRotation'
  /** Intents of crashed creates. */
  | 'AbandonIntents'
  | 'CreateCatalog'
  | 'BackupCatalog'
  /** An archive of the catalog and the keys. */
  | 'MakeBackup'
  | 'VerifyBackup'
  /** Archives that retention removes. */
  | 'RemoveBackups'
  | 'RestoreCatalog'
  /** An operator goes on with a catalog that was rolled back. */
  | 'AcceptRollback'
  /** The clock jumped: nothing is destroyed until an operator confirms. */
  | 'HoldDeletions'
  | 'ReleaseDeletions'
  | 'ForgetLoginAttempts'
  /** A ceremony: a generation of cluster keys on all members. */
  | 'MakeClusterKeys';

/** One act, as its record names it. */
export interface Act {
  operation: ActName;
  /** ARNs of keys; empty if it concerns none. */
  resources: readonly string[];
  /** The other facts of the record, by `snake_case` names. Nothing secret. */
  parameters: Record<string, unknown>;
}

/** Called when an act has ended, well or not. */
export type ActListener = (act: Act, error: HoldfastError | undefined) => void;

/** The dependencies of an `ActAudit`. */
export interface ActAuditTools {
  auditLog: AuditLog;
  clock: Clock;
  identifiers: Pick<Identifiers, 'requestId'>;
  actor: Actor;
  onActed: ActListener;
}

/** The longest wait for a log that blocks, in milliseconds. After that the act is not done. */
const recordTimeoutMs = 5_000;

/** The record of an act could not be written. The act has not been done, or is not acknowledged. */
export class ActUnauditedError extends Error {
  override readonly name = 'ActUnauditedError';
}

/**
 * Records acts that no request causes: on disk before the act, since it may be irrevocable, and once more with its
 * outcome. It fails closed: without the first record nothing is done (invariants 10 and 17).
 */
export class ActAudit {
  readonly #tools: ActAuditTools;

  constructor(tools: ActAuditTools) {
    this.#tools = tools;
  }

  /**
   * Records that an act begins, does it, and records how it ended.
   * @throws ActUnauditedError when a record could not be written, before or after the act; the errors of `work`.
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

  /** Records an act that is already done and destroys nothing. @throws ActUnauditedError */
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
      await auditLog.append(event, { durable: true, untilMs: clock.monotonicMs() + recordTimeoutMs });
    } catch (cause) {
      const message = `The audit record of ${operation} could not be written${ending.outcome === 'started' ? ': nothing was done' : ''}.`;
      throw new ActUnauditedError(message, { cause: earlier ?? cause });
    }
  }
}
