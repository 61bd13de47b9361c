import { type Metadata, status } from '@grpc/grpc-js';
import type { HoldfastError } from '../../errors.js';
import type { OperationTrace, RequestTracer, TraceAttributes } from '../../calls/trace.js';

/** Begins the trace of a call, if it is sampled. `trusted`: the caller is a principal of the configuration. */
export type TraceStart = (metadata: Metadata, trusted: boolean) => OperationTrace | undefined;

/**
 * Begins the traces of calls to one method. The attributes are those of OpenTelemetry's semantic conventions for gRPC.
 * @param path of the method, e.g. `/holdfast.kms.v1.CryptographyService/Encrypt`
 * @param tracer undefined if tracing is off
 */
export function traceStart(path: string, tracer: RequestTracer | undefined): TraceStart {
  if (tracer === undefined) return () => undefined;
  const name = path.slice(1);
  const [service = '', method = ''] = name.split('/');
  const attributes: TraceAttributes = { 'rpc.system': 'grpc', 'rpc.service': service, 'rpc.method': method };
  return (metadata, trusted) => {
    const traceparent = trusted ? textOf(metadata, 'traceparent') : undefined;
    if (!tracer.isSampled(traceparent)) return undefined;
    if (traceparent === undefined) return tracer.startRequest(name, attributes, undefined);
    return tracer.startRequest(name, attributes, { traceparent, tracestate: textOf(metadata, 'tracestate') });
  };
}

/** W3C Trace Context §3.3.1.1: several headers of one name form one list, in their order. */
function textOf(metadata: Metadata, name: string): string | undefined {
  const values = metadata.get(name);
  return values.length === 0 ? undefined : values.join(',');
}

/** The statuses that OpenTelemetry's conventions for gRPC count as server errors; the others are the caller's. */
const serverErrors: ReadonlySet<status> = new Set([
  status.UNKNOWN,
  status.DEADLINE_EXCEEDED,
  status.UNIMPLEMENTED,
  status.INTERNAL,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);

/** Ends the trace of a call that was answered with success. */
export function endAnswered(trace: OperationTrace | undefined, requestId: string): void {
  trace?.end({ 'rpc.grpc.status_code': status.OK, 'holdfast.request_id': requestId });
}

/** Ends the trace of a call that was answered with an error. */
export function endFailed(
  trace: OperationTrace | undefined,
  requestId: string,
  error: HoldfastError,
  grpcStatus: status,
): void {
  trace?.end(
    {
      'rpc.grpc.status_code': grpcStatus,
      'holdfast.error_code': error.code,
      'holdfast.request_id': requestId,
    },
    serverErrors.has(grpcStatus) ? error.code : undefined,
  );
}
