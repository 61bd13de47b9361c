import { type Metadata, status } from '@grpc/grpc-js';
import type { HoldfastError } from '../../errors.js';
import type { OperationTrace, RequestTracer, TraceAttributes } from '../../trace.js';

/** Begins the trace of a call, where it is sampled. `trusted`: the caller is a principal of the configuration. */
export type TraceStart = (metadata: Metadata, trusted: boolean) => OperationTrace | undefined;

/**
 * How calls of one method begin their traces. The attributes are those of OpenTelemetry's semantic conventions for gRPC.
 * @param path of the method, e.g. `/holdfast.kms.v1.CryptographyService/Encrypt`
 * @param tracer undefined where nothing is traced
 */
export function traceStart(path: string, tracer: RequestTracer | undefined): TraceStart {
  if (tracer === undefined) return () => undefined;
  const name = path.slice(1);
  const [service = '', method = ''] = name.split('/');
  const attributes: TraceAttributes = { 'rpc.system': 'grpc', 'rpc.service': service, 'rpc.method': method };
  return (metadata, trusted) => {
    const [traceparent] = metadata.get('traceparent');
    if (typeof traceparent !== 'string') return tracer.startRequest(name, attributes, undefined, trusted);
    // W3C Trace Context §3.3.1.1: several headers are one, in their order.
    const tracestate = metadata.get('tracestate').join(',');
    const parent = { traceparent, tracestate: tracestate === '' ? undefined : tracestate };
    return tracer.startRequest(name, attributes, parent, trusted);
  };
}

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
    error.code,
  );
}
