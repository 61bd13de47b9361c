import {
  ROOT_CONTEXT,
  type Context,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import { parseTraceParent, TraceState } from '@opentelemetry/core';
import type { OperationTrace, RequestTracer, TraceAttributes, TraceParent } from '../calls/trace.js';

/** Options that decide which requests are traced. */
export interface TracingOptions {
  /** Share of the requests that are traced if no caller decides, from 0 to 1. */
  sampleRatio: number;
  /** Whether a caller's sampled flag decides for its request. */
  followCallers: boolean;
  /** A number from 0 up to 1. */
  random: () => number;
}

/**
 * W3C Trace Context §3.2: version, trace id, parent id and flags; neither id may be all zeroes. Only versions after 00
 * may have more fields after these.
 */
const traceparentPattern = /^(?!ff)(?!00.{54})[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}(-|$)/;
const lastDigitOfFlags = '00-'.length + 32 + 1 + 16 + 1 + 1;

/**
 * Traces requests with OpenTelemetry's spans. Nothing is global and nothing hooks into promises: traces are passed
 * explicitly.
 */
export class Tracing implements RequestTracer {
  readonly #options: TracingOptions;
  readonly #tracer: Tracer;

  constructor(tracer: Tracer, options: TracingOptions) {
    this.#tracer = tracer;
    this.#options = options;
  }

  isSampled(traceparent: string | undefined): boolean {
    const { followCallers, sampleRatio, random } = this.#options;
    if (followCallers && traceparent !== undefined && traceparentPattern.test(traceparent)) {
      // Flags are two hex digits; the lowest bit means sampled (W3C Trace Context §3.2.2.5).
      return (Number.parseInt(traceparent.charAt(lastDigitOfFlags), 16) & 1) === 1;
    }
    return random() < sampleRatio;
  }

  startRequest(name: string, attributes: TraceAttributes, parent: TraceParent | undefined): OperationTrace {
    const options = { kind: SpanKind.SERVER, attributes: { ...attributes } };
    return new SpanTrace(this.#tracer, this.#tracer.startSpan(name, options, contextOf(parent)));
  }
}

function contextOf(parent: TraceParent | undefined): Context {
  const spanContext = parent === undefined ? null : parseTraceParent(parent.traceparent);
  if (spanContext === null) return ROOT_CONTEXT;
  const state = parent?.tracestate === undefined ? {} : { traceState: new TraceState(parent.tracestate) };
  return trace.setSpanContext(ROOT_CONTEXT, { ...spanContext, ...state, isRemote: true });
}

class SpanTrace implements OperationTrace {
  readonly traceId: string;
  readonly spanId: string;
  readonly #tracer: Tracer;
  readonly #span: Span;

  constructor(tracer: Tracer, span: Span) {
    this.#tracer = tracer;
    this.#span = span;
    const { traceId, spanId } = span.spanContext();
    this.traceId = traceId;
    this.spanId = spanId;
  }

  startOperation(name: string, attributes: TraceAttributes): OperationTrace {
    const options = { kind: SpanKind.INTERNAL, attributes: { ...attributes } };
    const span = this.#tracer.startSpan(name, options, trace.setSpan(ROOT_CONTEXT, this.#span));
    return new SpanTrace(this.#tracer, span);
  }

  end(attributes?: TraceAttributes, failure?: string): void {
    if (attributes !== undefined) this.#span.setAttributes(attributes);
    if (failure !== undefined) this.#span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
    this.#span.end();
  }
}
