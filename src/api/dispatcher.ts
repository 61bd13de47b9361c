import type { AuditEvent, CallerCertificate } from '../audit/event.js';
import type { AuditLog } from '../audit/log.js';
import type { Cancellation } from '../calls/cancellation.js';
import { type Eventual, orElse, whenKnown } from '../calls/eventual.js';
import type { Clock } from '../clock.js';
import { HoldfastError, toHoldfastError } from '../errors.js';
import { UnknownKeyError } from '../operations/cryptography/unknown-key.js';
import type { AccessContext, AccessResource, Authorizer, Decision } from '../policy/authorizer.js';
import type { Principal } from '../calls/principal.js';
import { destroySecretsIn } from '../secret.js';
import type { OperationTrace } from '../calls/trace.js';
import type { AccessCheck, Operation, OperationsCore, PreparedRequest } from '../operations/operation.js';
import type { OperationName, Operations } from '../operations/registry.js';
import { requestConstraints } from './request-constraints.js';
import { fieldName, validateRequest } from './validate-request.js';

/** One request, as a face passes it on. */
export interface IncomingCall {
  face: AuditEvent['face'];
  method: OperationName;
  /** Undefined if the configuration does not know the caller. */
  principal: Principal | undefined;
  /** The certificate of a caller without a principal. */
  certificate?: CallerCertificate | undefined;
  /** Peer address, or `unix`. */
  sourceAddress: string;
  requestId: string;
  /** Absolute, in `Clock.monotonicMs`. */
  deadlineMs: number;
  /** Whether the deadline is the caller's own, earlier than the service's. */
  deadlineIsCallers?: boolean | undefined;
  /** Receives the parts of the request, if it is traced. */
  trace?: OperationTrace | undefined;
  /** Says whether the caller still waits, if the face can know that. */
  cancellation?: Cancellation | undefined;
  /** The domain request. Throws VALIDATION for bytes that are not such a message. */
  decode(): object;
  /** The wire form of the domain response; copies the secrets in it. */
  encode(response: object): Uint8Array;
}

/** The one path that every request of every face takes: decode → principal → authorise → use case → audit → encode. */
export interface Dispatcher {
  /** Rejects with `HoldfastError` only. */
  dispatch(call: IncomingCall): Promise<Uint8Array>;
}

/** Called for every request when its answer is known, with the cause of a failure, for log and metrics. */
export type CompletionListener = (call: IncomingCall, error: HoldfastError | undefined, durationMs: number) => void;

/** Provided by the composition. `onCompleted` is called once for each request, after the audit log has its record. */
export interface DispatcherDependencies {
  operations: Operations;
  core: OperationsCore;
  authorizer: Authorizer;
  auditLog: AuditLog;
  clock: Clock;
  onCompleted: CompletionListener;
}

/** Collects what the audit record needs as a request is processed. */
class RequestRecord {
  readonly startedMs: number;
  request: Record<string, unknown> = {};
  accesses: readonly AccessCheck[] = [];
  /** The policy statement or list entry that decided about each access, up to the first that was denied. */
  readonly decidedBy: string[] = [];
  response: object | undefined;
  error: HoldfastError | undefined;

  constructor(startedMs: number) {
    this.startedMs = startedMs;
  }
}

/** The circumstances of one decision. Most policies do not ask for the time. */
class CallCircumstances implements AccessContext {
  readonly encryptionContext: AccessContext['encryptionContext'];
  readonly sourceAddress: string;
  readonly face: string;
  readonly #clock: Clock;

  constructor({ sourceAddress, face }: IncomingCall, context: AccessContext['encryptionContext'], clock: Clock) {
    this.encryptionContext = context;
    this.sourceAddress = sourceAddress;
    this.face = face;
    this.#clock = clock;
  }

  get time(): Date {
    return this.#clock.now();
  }
}

/**
 * The dispatcher of all faces. Nothing is answered before the audit log has its record. If the record cannot be written
 * the answer is KMS_INTERNAL, even if the operation is done by then. It waits for a log that blocks until the request's
 * deadline, and for at least a second. Secrets of request and response are zeroed at the end.
 *
 * This is on the path of every request: it awaits only what is really a promise, and keeps no closure while it waits.
 */
export class AuditedDispatcher implements Dispatcher {
  readonly #dependencies: DispatcherDependencies;
  readonly #auditedFields: ReadonlyMap<OperationName, readonly AuditedField[]>;

  /** The time of the last audit record. */
  #auditedMs = Number.NaN;
  #auditedTime = '';

  constructor(dependencies: DispatcherDependencies) {
    this.#dependencies = dependencies;
    this.#auditedFields = auditedFieldsOf(dependencies.operations);
  }

  async dispatch(call: IncomingCall): Promise<Uint8Array> {
    const record = new RequestRecord(this.#dependencies.clock.monotonicMs());
    try {
      try {
        const running = this.#run(call, record);
        record.response = running instanceof Promise ? await running : running;
      } catch (thrown) {
        record.error = await this.#refusal(thrown, call);
      }
      await this.#audit(call, record);
      if (record.error !== undefined) throw record.error;
      const answer = call.encode(record.response ?? {});
      this.#completed(call, undefined, record.startedMs);
      return answer;
    } catch (thrown) {
      const error = toHoldfastError(thrown);
      this.#completed(call, error, record.startedMs);
      throw error;
    } finally {
      destroySecretsIn(record.request);
      destroySecretsIn(record.response);
    }
  }

  #completed(call: IncomingCall, error: HoldfastError | undefined, startedMs: number): void {
    this.#dependencies.onCompleted(call, error, this.#dependencies.clock.monotonicMs() - startedMs);
  }

  /** Fills the record. @returns the response. Throws or rejects with the reason for a refusal. */
  #run(call: IncomingCall, record: RequestRecord): Eventual<object> {
    // While the log cannot be written nothing is done. The record of this refusal is itself the attempt that may heal the
    // log.
    if (!this.#dependencies.auditLog.healthy()) throw auditUnavailable(undefined);
    record.request = call.decode() as Record<string, unknown>;
    const { principal } = call;
    if (principal === undefined) {
      throw new HoldfastError('ACCESS_DENIED', 'The caller is not a principal of this service.');
    }
    validateRequest(record.request, requestConstraints[call.method]);
    return whenKnown(this.#prepare(call, principal, record), (prepared) => {
      record.accesses = prepared.accesses;
      const allowed = this.#requireAllowed(principal, record, call);
      return whenKnown(allowed, () => prepared.execute());
    });
  }

  #prepare(call: IncomingCall, principal: Principal, record: RequestRecord): Eventual<PreparedRequest> {
    const { requestId, deadlineMs, deadlineIsCallers, trace, cancellation } = call;
    const context = { requestId, principal, deadlineMs, deadlineIsCallers, trace, cancellation };
    const operation = this.#dependencies.operations[call.method];
    return operation.prepare(this.#dependencies.core, record.request as never, context);
  }

  /** Makes the remaining decisions, one after another. @throws ACCESS_DENIED at the first refusal. */
  #requireAllowed(principal: Principal, record: RequestRecord, call: IncomingCall): Eventual<undefined> {
    const access = record.accesses[record.decidedBy.length];
    if (access === undefined) return undefined;
    return whenKnown(this.#decide(principal, access, call), (decision) => {
      record.decidedBy.push(decision.by);
      if (!decision.allowed) throw accessDenied(principal, access, decision);
      return this.#requireAllowed(principal, record, call);
    });
  }

  /**
   * The error to answer with. A key may be unknown because the catalog lost it. Only callers who may see every key
   * learn that: others could use the answer to find out which keys exist.
   */
  #refusal(thrown: unknown, call: IncomingCall): Eventual<HoldfastError> {
    const error = toHoldfastError(thrown);
    const { cause } = error;
    const { principal } = call;
    if (principal === undefined || !(cause instanceof UnknownKeyError)) return error;
    const context = new CallCircumstances(call, undefined, this.#dependencies.clock);
    const access = { principal, action: 'kms:DescribeKey', resource: { kind: 'unknown-key' }, context } as const;
    // A failing authorizer must not keep the refusal out of the audit log.
    return orElse(
      () =>
        whenKnown(this.#dependencies.authorizer.decide(access), ({ allowed }) =>
          allowed ? new HoldfastError('INVALID_CIPHERTEXT', cause.message, { cause }) : error,
        ),
      toHoldfastError,
    );
  }

  #decide(principal: Principal, access: AccessCheck, call: IncomingCall): Eventual<Decision> {
    const { action, resource, encryptionContext } = access;
    const context = new CallCircumstances(call, encryptionContext, this.#dependencies.clock);
    return this.#dependencies.authorizer.decide({ principal, action, resource, context });
  }

  #audit(call: IncomingCall, record: RequestRecord): Promise<void> {
    const { error, startedMs } = record;
    const operation = this.#dependencies.operations[call.method];
    const event: AuditEvent = {
      time: this.#timeText(),
      requestId: call.requestId,
      face: call.face,
      operation: call.method,
      principal: call.principal?.arn ?? null,
      ...(call.principal === undefined && call.certificate !== undefined ? { certificate: call.certificate } : {}),
      sourceAddress: call.sourceAddress,
      actions: auditedActions(record),
      decidedBy: record.decidedBy,
      resources: auditedResources(record, operation),
      outcome: outcomeOf(error),
      errorCode: error?.code ?? null,
      parameters: auditedParameters(record.request, this.#auditedFields.get(call.method) ?? [], error),
      durationMs: Math.round((this.#dependencies.clock.monotonicMs() - startedMs) * 1000) / 1000,
    };
    return this.#appendInTime(event, operation.plane === 'control', call.deadlineMs);
  }

  /** ISO 8601, written once per millisecond. */
  #timeText(): string {
    const now = this.#dependencies.clock.now();
    const nowMs = now.getTime();
    if (nowMs !== this.#auditedMs) {
      this.#auditedMs = nowMs;
      this.#auditedTime = now.toISOString();
    }
    return this.#auditedTime;
  }

  /**
   * A log that blocks must not keep the caller waiting: the log keeps the record to write it later, and the caller
   * learns that it is not written.
   */
  #appendInTime(event: AuditEvent, durable: boolean, deadlineMs: number): Promise<void> {
    const { clock, auditLog } = this.#dependencies;
    const earliestMs = clock.monotonicMs() + minAuditTimeMs;
    // An unhealthy log gets only the minimum time: the request was refused anyway.
    const untilMs = auditLog.healthy() ? Math.max(earliestMs, deadlineMs) : earliestMs;
    return auditLog.append(event, { durable, untilMs }).catch(refuseUnaudited);
  }
}

/** Time for the record of a request that was answered, or failed, just before its deadline. */
const minAuditTimeMs = 1_000;

function refuseUnaudited(cause: unknown): never {
  throw auditUnavailable(cause);
}

function auditUnavailable(cause: unknown): HoldfastError {
  return new HoldfastError('KMS_INTERNAL', 'The audit log cannot be written, so nothing is done. Ask the operator.', {
    cause,
    retryable: false,
  });
}

/**
 * Words the refusal of a key that the caller may not use like that of a key that does not exist: it must not reveal
 * which keys exist.
 */
function accessDenied(principal: Principal, { action, resource }: AccessCheck, { reason }: Decision): HoldfastError {
  const where = {
    account: '',
    'custom-key-store': ` on resource: ${resourceName(resource).join()}`,
    key: ' on this key, or the key does not exist',
    'unknown-key': ' on this key, or the key does not exist',
  }[resource.kind];
  return new HoldfastError('ACCESS_DENIED', `User: ${principal.arn} is not authorized to perform: ${action}${where}`, {
    cause: new Error(reason),
  });
}

function outcomeOf(error: HoldfastError | undefined): AuditEvent['outcome'] {
  if (error === undefined) return 'success';
  return error.code === 'ACCESS_DENIED' ? 'denied' : 'failed';
}

function auditedResources({ accesses, response, error }: RequestRecord, { created }: Operation<never>): string[] {
  const named: string[] = [];
  for (const { resource } of accesses) named.push(...resourceName(resource));
  if (error === undefined && response !== undefined && created !== undefined) named.push(created(response));
  return named;
}

function auditedActions({ accesses }: RequestRecord): string[] {
  const actions: string[] = [];
  for (const { action } of accesses) actions.push(action);
  return actions;
}

function resourceName(resource: AccessResource): string[] {
  switch (resource.kind) {
    case 'key':
      return [resource.keyArn];
    case 'custom-key-store':
      return [resource.customKeyStoreId];
    case 'account':
    case 'unknown-key':
      return [];
  }
}

/**
 * The key that a ciphertext names and this catalog does not have. If the right catalog is missing, these ids are the
 * only clue to it.
 */
function unknownKeyOf(error: HoldfastError): Record<string, string> {
  if (!(error.cause instanceof UnknownKeyError)) return {};
  const { keyId, materialId } = error.cause;
  return { unknown_key_id: keyId, unknown_key_material_id: materialId };
}

/** A request field in the audit record, and its name there. */
interface AuditedField {
  name: string;
  recordedAs: string;
}

function auditedFieldsOf(operations: Operations): ReadonlyMap<OperationName, readonly AuditedField[]> {
  const rows = Object.entries(operations) as [OperationName, Operation<never>][];
  return new Map(
    rows.map(([method, { audited }]) => [
      method,
      audited.map((name: string) => ({ name, recordedAs: fieldName(name) })),
    ]),
  );
}

function auditedParameters(
  request: Record<string, unknown>,
  fields: readonly AuditedField[],
  error: HoldfastError | undefined,
): Record<string, unknown> {
  const parameters: Record<string, unknown> = {};
  for (const { name, recordedAs } of fields) {
    const value = request[name];
    if (value !== undefined) parameters[recordedAs] = auditedValue(value);
  }
  return error === undefined ? parameters : { ...parameters, ...unknownKeyOf(error) };
}

/** The longest legal description, and the longest legal encryption context: a legal request is recorded whole. */
const maxAuditedTextLength = 8_192;

/**
 * Refused requests are audited too, whoever sent them, so their records must be bounded: a message of 1 MiB would make
 * a record of 6 MiB, and once the disk has no room for records, nothing is served.
 */
function auditedValue(value: unknown): unknown {
  if (typeof value === 'string') return auditedText(value);
  return value instanceof Map ? auditedContext(value as ReadonlyMap<string, string>) : value;
}

function auditedText(text: string): string {
  if (text.length <= maxAuditedTextLength) return text;
  return `${text.slice(0, maxAuditedTextLength)}… (cut; ${text.length} characters)`;
}

function auditedContext(context: ReadonlyMap<string, string>): unknown {
  let length = 0;
  for (const [name, value] of context) {
    length += name.length + value.length;
    if (length > maxAuditedTextLength) return `(${context.size} pairs, longer than an encryption context can be)`;
  }
  return Object.fromEntries(context);
}
