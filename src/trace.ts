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

/** Decides which requests are traced. */
export interface RequestTracer {
  /**
   * @param name e.g. `holdfast.kms.v1.CryptographyService/Encrypt`
   * @param traceparent the caller's W3C header, checked here
   * @param trusted whether the caller is somebody whose decision to sample may count
   * @returns undefined when this request is not sampled
   */
  startRequest(
    name: string,
    attributes: TraceAttributes,
    parent: { traceparent: string; tracestate: string | undefined } | undefined,
    trusted: boolean,
  ): OperationTrace | undefined;
}
