/**
 * The port for tracing: the parts of one request, and how long each took. Whether a request is traced is decided before
 * anything is made for it: one that is not has no trace, and costs a look at `undefined`.
 */

/**
 * What is told of a part. Only names and numbers of ours: never plaintexts, encryption contexts, PINs, or any other text
 * that a caller sent.
 */
export type TraceAttributes = Readonly<Record<string, string | number | boolean>>;

/** One part of a traced request: the request itself, an operation of a cluster, a try of it on one member. */
export interface OperationTrace {
  /** 32 lower-case hex digits (W3C Trace Context §3.2.2.3). */
  readonly traceId: string;
  /** 16 lower-case hex digits (W3C Trace Context §3.2.2.4). */
  readonly spanId: string;
  /** Begins a part of this one. */
  startOperation(name: string, attributes: TraceAttributes): OperationTrace;
  /**
   * Ends it, once.
   * @param failure an error code or the name of a return value; undefined when it succeeded
   */
  end(attributes?: TraceAttributes, failure?: string): void;
}

/** The headers of a caller that traces (W3C Trace Context §3). */
export interface TraceParent {
  traceparent: string;
  tracestate: string | undefined;
}

/** Decides which requests are traced. */
export interface RequestTracer {
  /**
   * Makes nothing: most requests are not sampled.
   * @param traceparent the W3C header of a caller that the configuration knows; what is no such header is ignored
   */
  isSampled(traceparent: string | undefined): boolean;
  /**
   * For a request that is sampled.
   * @param name e.g. `holdfast.kms.v1.CryptographyService/Encrypt`
   */
  startRequest(name: string, attributes: TraceAttributes, parent: TraceParent | undefined): OperationTrace;
}
