/**
 * The events of the service: one function per event, which writes the line of the log and counts it. The two thus never
 * disagree. The message is the sentence that an operator searches for; the fields say where. A cause is logged with its
 * own fields and never goes to a caller (invariant 12).
 */
import type { Logger } from 'pino';
import type { Clock } from '../clock.js';
import type { CompletionListener, IncomingCall } from '../api/dispatcher.js';
import { type ErrorCode, HoldfastError } from '../errors.js';
import type { HsmEvents, MemberPlace } from '../hsm/events.js';
import { type ReplacementListener, replacementStates } from '../hsm/process-replacement.js';
import type { BackgroundErrorListener } from '../keys/core.js';
import type { ConnectionEvents } from '../keystores/connection-events.js';
import type { EncryptionBudgetTools } from '../keys/encryption-budget.js';
import type { Readiness } from '../status/readiness.js';
import { LineLimit } from './line-limit.js';
import type { Metrics } from './metrics.js';
import type { ExportOutcomeListener } from './span-outlet.js';

/** The receivers of events. */
export interface EventSink {
  logger: Logger;
  /** The metrics; undefined if nothing is counted. */
  metrics: Metrics | undefined;
}

/** Key stores that connect and disconnect. */
export function connectionEvents({ logger, metrics }: EventSink): ConnectionEvents {
  return {
    connecting(place) {
      logger.info({ ...place }, 'key store connecting');
    },
    connected(place) {
      logger.info({ ...place }, 'key store connected');
    },
    connectFailed(place, { errorCode, retryInMs, cause }) {
      logger.error({ ...place, errorCode, retryInMs, err: cause }, 'key store did not connect');
      const cluster = metrics?.cluster(place.clusterId) ?? '';
      metrics?.counters.keyStoreConnectFailures.inc({ cluster, error_code: errorCode });
    },
    foundFailed(place, errorCode) {
      logger.error({ ...place, errorCode }, 'key store was FAILED before this start; it is not retried');
    },
    disconnecting(place) {
      logger.info({ ...place }, 'key store disconnecting');
    },
    disconnected(place) {
      logger.info({ ...place }, 'key store disconnected');
    },
    connectionJobFailed(customKeyStoreId, cause) {
      logger.error({ customKeyStoreId, err: cause }, 'connection job failed');
      metrics?.counters.backgroundFailures.inc();
    },
  };
}

/** Members, lanes, and problems with key material. */
export function hsmEvents({ logger, metrics }: EventSink, clock: Clock): HsmEvents {
  const labels = ({ clusterId, memberName }: MemberPlace) => ({
    cluster: metrics?.cluster(clusterId) ?? '',
    member: memberName,
  });
  const counters = metrics?.counters;
  return {
    ...keyEvents({ logger, metrics }, clock, labels),
    memberOpened(place, token, { name, verification }) {
      const fields = { serialNumber: token.serialNumber, model: token.model, profile: name };
      logger.info({ ...place, ...fields, verified: verification.verified }, 'member opened');
      if (!verification.verified)
        logger.warn(
          { ...place, profile: name },
          'the vendor profile of this member is unverified: it was never tested on such a device',
        );
      counters?.hsmMembersOpened.inc(labels(place));
    },
    memberOpenFailed(place, cause) {
      logger.error({ ...place, err: cause }, 'member did not open');
      counters?.hsmMemberOpenFailures.inc(labels(place));
    },
    memberSuspended(place, cause) {
      logger.error({ ...place, err: cause }, 'member suspended');
      counters?.hsmMemberSuspensions.inc(labels(place));
    },
    memberProbeFailed(place, cause) {
      logger.warn({ ...place, err: cause }, 'member probe failed');
      counters?.hsmMemberProbeFailures.inc(labels(place));
    },
    memberResumed: (place) => logger.info({ ...place }, 'member resumed'),
    memberReconnecting: (place, cause) => logger.warn({ ...place, err: cause }, 'member reconnecting'),
    memberReconnected(place) {
      logger.info({ ...place }, 'member reconnected');
      counters?.hsmMembersOpened.inc(labels(place));
    },
    memberReconnectFailed(place, cause) {
      logger.error({ ...place, err: cause }, 'member did not reconnect');
      counters?.hsmMemberOpenFailures.inc(labels(place));
    },
    memberStuck(place, cause) {
      logger.error({ ...place, err: cause }, 'ALERT: a member is stuck: only a new process can open it');
      counters?.hsmProcessWornOut.inc(labels(place));
    },
    laneQuarantined(place, cause) {
      logger.error({ ...place, err: cause }, 'lane quarantined');
      counters?.hsmLanesQuarantined.inc(labels(place));
    },
    lanesHung(clusterId, laneCount) {
      logger.error({ clusterId, laneCount }, 'lanes still hung at close');
      counters?.hsmLanesHung.inc({ cluster: metrics?.cluster(clusterId) ?? '' }, laneCount);
    },
  };
}

/** Keys on tokens that are not what the catalog says; members of wrapped clusters that lack keys, or cannot get any. */
function keyEvents(
  { logger, metrics }: EventSink,
  clock: Clock,
  labels: (place: MemberPlace) => { cluster: string; member: string },
): Pick<HsmEvents, 'materialAlert' | 'copyMissing' | 'inventoryFailed' | 'generationBehind'> {
  const alertLines = new LineLimit(clock);
  const copyLines = new LineLimit(clock);
  return {
    materialAlert(place, materialId, alert) {
      const message = 'ALERT: key material on a token is not what the catalog says';
      const line = alertLines.admit(`${place.clusterId} ${place.memberName} ${alert}`);
      if (line !== undefined) logger.error({ ...place, materialId, alert, ...line }, message);
      metrics?.counters.materialAlerts.inc({ ...labels(place), alert });
    },
    copyMissing(place, materialId, cause) {
      const line = copyLines.admit(`${place.clusterId} ${place.memberName}`);
      if (line === undefined) return;
      logger.warn({ ...place, materialId, err: cause, ...line }, 'member lacks key material that others have');
    },
    inventoryFailed: (place, cause) =>
      logger.warn({ ...place, err: cause }, 'the keys of a member could not be listed'),
    generationBehind: (place, generationInUse) =>
      logger.error(
        { ...place, generationInUse },
        'ALERT: a member does not have the wrapping keys in use: it gets no copies of new keys',
      ),
  };
}

/** Whether the process must be replaced because a member is stuck in it. */
export function replacementEvent({ logger, metrics }: EventSink): ReplacementListener {
  const show = (current: string): void => {
    for (const state of replacementStates) {
      metrics?.gauges.processReplacement.set({ state }, state === current ? 1 : 0);
    }
  };
  show('none');
  return (state, stuck) => {
    show(state);
    if (state === 'none') logger.info('no member is stuck any more');
    else if (state === 'put-off') logger.warn({ stuck }, 'the process continues with members that are stuck');
    else if (state === 'due')
      logger.error({ stuck }, 'members are stuck and nothing serves: the process will be replaced');
    else logger.error({ stuck }, 'ALERT: the process asks to be replaced');
  };
}

/** Materials that approach the maximum number of encryptions that are safe under one key (invariant 9). */
export function encryptionBudgetEvents(
  sink: EventSink,
): Pick<EncryptionBudgetTools, 'onWarning' | 'onBackgroundError'> {
  const { logger, metrics } = sink;
  return {
    onWarning(materialId, used, limit) {
      const fields = { materialId, used, limit };
      if (used < limit) logger.warn(fields, 'key material has used more than half of its encryptions');
      else logger.error(fields, 'ALERT: key material has used all of its encryptions and makes no more');
      metrics?.counters.encryptionBudgetWarnings.inc();
    },
    onBackgroundError: backgroundErrorEvent(sink),
  };
}

const operatorCodes: ReadonlySet<ErrorCode> = new Set(['KMS_INTERNAL', 'KEY_UNAVAILABLE', 'DEPENDENCY_TIMEOUT']);

/**
 * Counts answered requests and logs failures. A failure that an operator must examine is logged as an error, with a
 * limit on the lines per code. A caller's mistake is logged at debug level.
 */
export function requestEvent({ logger, metrics }: EventSink, clock: Clock): CompletionListener {
  const lines = new LineLimit(clock);
  return (call, error, durationMs) => {
    const { face, method } = call;
    metrics?.counters.rpcRequests.inc({ face, method, code: codeLabel(error) });
    metrics?.histograms.rpcDuration.observe({ face, method }, durationMs / 1_000);
    if (error === undefined) return;
    if (error.callerDeadline) {
      const line = lines.admit(callerDeadlineLabel);
      if (line !== undefined) logger.info({ ...failureFields(call, error), ...line }, 'caller allowed too little time');
      return;
    }
    if (!concernsOperator(error)) {
      logger.debug(failureFields(call, error), 'request refused');
      return;
    }
    const line = lines.admit(error.code);
    if (line !== undefined) logger.error({ ...failureFields(call, error), ...line }, 'request failed');
  };
}

/**
 * The label `code` of a request that its caller's own deadline ended. It is not an error code, because nothing in the service
 * failed.
 */
const callerDeadlineLabel = 'CALLER_DEADLINE';

function codeLabel(error: HoldfastError | undefined): string {
  if (error === undefined) return 'OK';
  return error.callerDeadline ? callerDeadlineLabel : error.code;
}

function failureFields(call: IncomingCall, error: HoldfastError): object {
  const { requestId, method, principal, sourceAddress } = call;
  const fields = { requestId, method, principal: principal?.arn, sourceAddress, errorCode: error.code };
  return { ...fields, ...tracePlace(call), err: error };
}

/** The request's trace and span; nothing if it is not traced. */
function tracePlace({ trace }: IncomingCall): { traceId?: string; spanId?: string } {
  return trace === undefined ? {} : { traceId: trace.traceId, spanId: trace.spanId };
}

/**
 * Whether an operator must examine the error. The code alone does not say: AWS answers KMS_INVALID_STATE when the
 * cluster of a custom key store is unreachable, so the cause counts too.
 */
function concernsOperator(error: HoldfastError): boolean {
  if (operatorCodes.has(error.code)) return true;
  return error.cause instanceof HoldfastError && operatorCodes.has(error.cause.code);
}

/**
 * Shortages of file descriptors, and connections refused because of them; a failed accept is logged at most once a
 * second.
 */
export function descriptorEvent({ logger, metrics }: EventSink, clock: Clock): (event: DescriptorShortage) => void {
  const lines = new LineLimit(clock, 1);
  return (event) => {
    if (event.kind === 'enough') logger.info('there are enough file descriptors again');
    else if (event.kind === 'short') {
      const { connections } = event;
      logger.error({ connections }, 'file descriptors run short: connections are refused, and the rest is reserved');
    } else {
      metrics?.counters.connectionsWithoutDescriptor.inc();
      const line = event.cause === undefined ? undefined : lines.admit('accept');
      if (line !== undefined) logger.error({ err: event.cause, ...line }, 'a connection could not be accepted');
    }
  };
}

/** A face's report about file descriptors. */
export type DescriptorShortage =
  | { kind: 'refused'; cause?: unknown }
  | { kind: 'short'; connections: number }
  | { kind: 'enough' };

/** Changes of the audit log at run time. Requests that are refused because of them are logged separately. */
export function auditEvents({ logger, metrics }: EventSink): AuditLogEvents {
  return {
    recordsLost: (count) => metrics?.counters.auditRecordsLost.inc(count),
    unwritable: (cause) =>
      logger.error({ err: cause }, 'the audit log cannot be written: every request is refused until it can'),
    writableAgain: (afterMs) => logger.info({ afterMs: Math.round(afterMs) }, 'the audit log can be written again'),
    fileLost(condition) {
      if (condition === 'removed')
        logger.error('the file of the audit log was removed while it was in use: a new one was begun');
      else logger.error('the file of the audit log was cut off while it was in use: its records are lost');
      metrics?.counters.auditFilesRemoved.inc();
    },
    movedAway(unseen) {
      if (unseen === undefined)
        logger.warn('the file of the audit log was moved away and is still written to: send SIGHUP to begin a new one');
      else
        logger.warn(
          { err: unseen },
          'the path of the audit log cannot be examined: its file is still written to, and may no longer be there',
        );
    },
    backInPlace: () => logger.info('the audit log is at its path again'),
  };
}

/** Changes of the audit log, each reported once. */
export interface AuditLogEvents {
  recordsLost(count: number): void;
  unwritable(cause: unknown): void;
  writableAgain(afterMs: number): void;
  fileLost(condition: 'removed' | 'cut-off'): void;
  movedAway(unseen: unknown): void;
  backInPlace(): void;
}

/** Whether the catalog accepts changes; reported when that changes. */
export function catalogEvents({ logger }: EventSink): CatalogEvents {
  return {
    unwritable: (cause) =>
      logger.error({ err: cause }, 'the catalog cannot be written: nothing can be made or changed until it can'),
    writableAgain: (afterMs) => logger.info({ afterMs: Math.round(afterMs) }, 'the catalog can be written again'),
  };
}

/** See `catalogEvents`. */
export interface CatalogEvents {
  unwritable(cause: unknown): void;
  writableAgain(afterMs: number): void;
}

/** Whether callers are served: health's answer to load balancers. */
export function readinessEvent({ logger }: EventSink): (readiness: Readiness) => void {
  let hasServed = false;
  return ({ control, cryptography, keyStores }) => {
    const fields = { keyStores: Object.fromEntries(keyStores) };
    hasServed ||= cryptography;
    // A start is not a failure. Its obstacles (an absent token, a refused PIN) have errors of their own.
    if (control && !hasServed) logger.info(fields, 'not ready yet: no key store serves; health answers NOT_SERVING');
    else if (cryptography) logger.info(fields, 'ready: health answers SERVING');
    else if (control) logger.error(fields, 'not ready: no key store serves; health answers NOT_SERVING');
    else logger.error('not ready: the audit log or the catalog cannot be used; health answers NOT_SERVING');
  };
}

/** Failures of work that no caller waits for. */
export function backgroundErrorEvent({ logger, metrics }: EventSink): BackgroundErrorListener {
  return (error, what) => {
    logger.error({ err: error }, `failed: ${what}`);
    metrics?.counters.backgroundFailures.inc();
  };
}

/** At most once a minute, because an unreachable receiver of spans fails for every batch. */
const exportReportIntervalMs = 60_000;

/** Spans that were exported, failed, or exceeded the bound. Losses are logged once a minute, with their number. */
export function spanEvent(sink: EventSink, clock: Clock): ExportOutcomeListener {
  const count = (outcome: string, spans: number) => sink.metrics?.counters.traceSpans.inc({ outcome }, spans);
  return exportEvent(sink, clock, count, (lostSpans) => [{ lostSpans }, 'spans were lost']);
}

/**
 * Log records, or exports of metrics, that were exported, failed, or exceeded the bound. Losses are logged once a
 * minute.
 */
export function otlpEvent(sink: EventSink, clock: Clock, signal: 'logs' | 'metrics'): ExportOutcomeListener {
  const count = (outcome: string, items: number) => sink.metrics?.counters.otlpItems.inc({ signal, outcome }, items);
  return exportEvent(sink, clock, count, (lost) => [{ lost, signal }, 'telemetry was not delivered']);
}

function exportEvent(
  { logger }: EventSink,
  clock: Clock,
  count: (outcome: string, items: number) => void,
  describe: (lost: number) => [fields: object, message: string],
): ExportOutcomeListener {
  let lost = 0;
  let nextReportMs = Number.NEGATIVE_INFINITY;
  return (outcome, items, cause) => {
    count(outcome, items);
    if (outcome === 'exported') return;
    lost += items;
    if (clock.monotonicMs() < nextReportMs) return;
    const [fields, message] = describe(lost);
    logger.warn({ outcome, ...fields, err: cause }, message);
    nextReportMs = clock.monotonicMs() + exportReportIntervalMs;
    lost = 0;
  };
}
