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
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AlwaysOnSampler, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import type { OperationTrace, RequestTracer, TraceAttributes, TraceParent } from '../trace.js';
import { SpanOutlet, type SpanOutcomeListener } from './span-outlet.js';

/** Which requests are traced, who they are said to come from, and where spans go. */
export interface TracingOptions {
  exporter: SpanExporter;
  /** Share of the requests that are traced where no caller decides, from 0 to 1. */
  sampleRatio: number;
  /** Whether the sampled flag of a caller decides for its request. */
  followCallers: boolean;
  serviceName: string;
  serviceVersion: string;
  /** A number from 0 up to 1. */
  random: () => number;
  onSpans: SpanOutcomeListener;
}

/**
 * W3C Trace Context §3.2: version, trace id, parent id and flags; neither id may be all zeroes. Only later versions than 00
 * may have more behind them.
 */
const traceparentPattern = /^(?!ff)(?!00.{54})[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}(-|$)/;
const lastDigitOfFlags = '00-'.length + 32 + 1 + 16 + 1 + 1;

/**
 * Traces requests through OpenTelemetry's SDK: only spans and their export are the library's. Nothing is global, nothing
 * reads `OTEL_*`, and nothing hooks into promises: a trace is passed on by hand.
 */
export class Tracing implements RequestTracer {
  readonly #options: TracingOptions;
  readonly #provider: TracerProvider;
  readonly #tracer: Tracer;

  constructor(options: TracingOptions) {
    this.#options = options;
    this.#provider = new TracerProvider({
      sampler: new AlwaysOnSampler(),
      resource: resourceFromAttributes({
        'service.name': options.serviceName,
        'service.version': options.serviceVersion,
        'process.pid': process.pid,
      }),
      spanProcessors: [new SpanOutlet(options.exporter, options.onSpans)],
    });
    this.#tracer = this.#provider.getTracer('holdfast', options.serviceVersion);
  }

  isSampled(traceparent: string | undefined): boolean {
    const { followCallers, sampleRatio, random } = this.#options;
    if (followCallers && traceparent !== undefined && traceparentPattern.test(traceparent)) {
      // Flags are two hex digits, of which the lowest bit says sampled (W3C Trace Context §3.2.2.5).
      return (Number.parseInt(traceparent.charAt(lastDigitOfFlags), 16) & 1) === 1;
    }
    return random() < sampleRatio;
  }

  startRequest(name: string, attributes: TraceAttributes, parent: TraceParent | undefined): OperationTrace {
    const options = { kind: SpanKind.SERVER, attributes: { ...attributes } };
    return new SpanTrace(this.#tracer, this.#tracer.startSpan(name, options, contextOf(parent)));
  }

  /** Sends what waits. Resolves when that is done or has failed, which the listener was told. */
  async shutdown(): Promise<void> {
    await this.#provider.shutdown();
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
