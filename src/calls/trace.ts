/**
 * The port for tracing: the parts of one request, and how long each took. Whether a request is traced is decided before
 * anything is made for it: an untraced one has no trace, and costs a check for `undefined`.
 */

/**
 * Attributes of a part. Only our own names and numbers: never plaintexts, encryption contexts, PINs, or any other text
 * that a caller sent.
 */
export type TraceAttributes = Readonly<Record<string, string | number | boolean>>;

/** One part of a traced request: the request itself, an operation of a cluster, an attempt on one member. */
export interface OperationTrace {
  /** 32 lower-case hex digits (W3C Trace Context §3.2.2.3). */
  readonly traceId: string;
  /** 16 lower-case hex digits (W3C Trace Context §3.2.2.4). */
  readonly spanId: string;
  /** Begins a child of this part. */
  startOperation(name: string, attributes: TraceAttributes): OperationTrace;
  /**
   * Ends this part, once.
   * @param failure an error code or the name of a return value; undefined when it succeeded
   */
  end(attributes?: TraceAttributes, failure?: string): void;
}

/** The trace headers of a caller (W3C Trace Context §3). */
export interface TraceParent {
  traceparent: string;
  tracestate: string | undefined;
}

/** Decides which requests are traced. */
export interface RequestTracer {
  /**
   * Allocates nothing: most requests are not sampled.
   * @param traceparent the W3C header of a known caller; a malformed one is ignored
   */
  isSampled(traceparent: string | undefined): boolean;
  /**
   * Starts the trace of a sampled request.
   * @param name e.g. `holdfast.kms.v1.CryptographyService/Encrypt`
   */
  startRequest(name: string, attributes: TraceAttributes, parent: TraceParent | undefined): OperationTrace;
}
