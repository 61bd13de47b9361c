/**
 * Callers that get no further than the listener, and unmet preconditions, which an operator must know before the first
 * caller comes.
 */
import type { Logger } from 'pino';
import type { CallerCertificate } from '../audit/event.js';
import type { Clock } from '../clock.js';
import type { EventSink } from './events.js';
import { LineLimit } from './line-limit.js';

/**
 * Connections refused before any request, reported with the number of unreported ones of the kind. A peer that sends
 * nothing is a probe, logged for debugging only.
 */
function connectionRefusedEvent({ logger }: EventSink): (refusal: RefusedConnection) => void {
  return ({ certificate, ...refusal }) => {
    const level = refusal.kind === 'silent' ? 'debug' : 'warn';
    logger[level]({ ...refusal, ...certificate }, 'connection refused');
  };
}

/**
 * The lines that the gRPC library would print to stderr, between the lines of the log. They quote headers of clients in
 * full and unescaped, once for each request.
 */
function libraryLineEvent({ logger }: EventSink, clock: Clock): (line: string) => void {
  const lines = new LineLimit(clock);
  return (text) => {
    const line = lines.admit('grpc');
    if (line !== undefined)
      logger.debug({ line: text.slice(0, maxLibraryLineLength), ...line }, 'the gRPC library says');
  };
}

const maxLibraryLineLength = 512;

/** The events of the gRPC face about connections that it refuses. */
export function faceEvents(sink: EventSink, clock: Clock) {
  return {
    onConnectionRefused: connectionRefusedEvent(sink),
    onRefusalCounted: connectionRefusedCount(sink),
    onLibraryLine: libraryLineEvent(sink, clock),
  };
}

/** Every refused connection is counted. */
export function connectionRefusedCount({ metrics }: EventSink): (kind: string) => void {
  return (kind) => metrics?.counters.connectionsRefused.inc({ reason: kind });
}

/** Callers with a valid certificate that maps to no principal: at most 20 lines a second for each reason. */
export function unknownCallerEvent(
  { logger }: EventSink,
  clock: Clock,
): (certificate: CallerCertificate, reason: string) => void {
  const lines = new LineLimit(clock);
  return (certificate, reason) => {
    const line = lines.admit(reason);
    if (line !== undefined) logger.warn({ ...certificate, reason, ...line }, 'client certificate names no principal');
  };
}

/** A connection that a face refused. */
export interface RefusedConnection {
  sourceAddress: string;
  reason: string;
  /** The kind of refusal, from a closed list. */
  kind: string;
  certificate?: CallerCertificate | undefined;
  /** How many more of this kind were refused, unreported, since its last report. */
  unreported: number;
}

/** An unmet precondition of the service that does not prevent its start. */
export function preconditionEvent(
  logger: Logger,
  found: { check: string; status: string; subject: string; message: string; remedy?: string | undefined },
): void {
  const { check, subject, remedy } = found;
  const fields = { check, subject, finding: found.message, remedy };
  if (found.status === 'fail') logger.error(fields, 'a precondition of the service is not met');
  else logger.warn(fields, 'a precondition of the service needs attention');
}
