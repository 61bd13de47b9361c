/** Callers that get no further than the listener, and what an operator has to know before the first one comes. */
import type { Logger } from 'pino';
import type { CallerCertificate } from '../audit/event.js';
import type { Clock } from '../clock.js';
import type { EventSink } from './events.js';
import { LineLimit } from './line-limit.js';

/**
 * Connections that were refused before any request: reported with how many of the kind were not. A peer that says nothing is
 * a probe, and for debugging only.
 */
function connectionRefusedEvent({ logger }: EventSink): (refusal: RefusedConnection) => void {
  return ({ certificate, ...refusal }) => {
    const level = refusal.kind === 'silent' ? 'debug' : 'warn';
    logger[level]({ ...refusal, ...certificate }, 'connection refused');
  };
}

/**
 * What the gRPC library would print to stderr, between the lines of the log. It quotes headers of clients, whole and as they are, once for each
 * request.
 */
function libraryLineEvent({ logger }: EventSink, clock: Clock): (line: string) => void {
  const lines = new LineLimit(clock);
  return (text) => {
    const line = lines.admit('grpc');
    if (line !== undefined) logger.debug({ line: text.slice(0, longestLibraryLine), ...line }, 'the gRPC library says');
  };
}

const longestLibraryLine = 512;

/** What the gRPC face tells of whoever gets no further than it. */
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

/** Callers with a good certificate that the configuration knows nobody by: of each reason, 20 lines a second. */
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

/** What a face tells of connections that it refused. */
export interface RefusedConnection {
  sourceAddress: string;
  reason: string;
  /** Of a closed list. */
  kind: string;
  certificate?: CallerCertificate | undefined;
  /** How many more of this kind were refused since the last report of it, and not reported. */
  unreported: number;
}

/** A precondition of the service that is not met, and does not keep it from starting. */
export function preconditionEvent(
  logger: Logger,
  found: { check: string; status: string; subject: string; message: string; remedy?: string | undefined },
): void {
  const { check, subject, remedy } = found;
  const fields = { check, subject, finding: found.message, remedy };
  if (found.status === 'fail') logger.error(fields, 'a precondition of the service is not met');
  else logger.warn(fields, 'a precondition of the service needs attention');
}
