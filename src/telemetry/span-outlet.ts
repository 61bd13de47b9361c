import type { Context } from '@opentelemetry/api';
import { ExportResultCode } from '@opentelemetry/core';
import {
  BatchSpanProcessor,
  type ReadableSpan,
  type Span,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';

/** Receives the outcome of spans, log records or exports of metrics; `cause` is set for failures. */
export type ExportOutcomeListener = (
  outcome: 'exported' | 'failed' | 'dropped',
  count: number,
  cause?: unknown,
) => void;

/** The maximum number of spans that wait or are being sent; further ones are dropped. */
const maximumWaitingSpans = 2_048;
const exportIntervalMs = 2_000;
const exportTimeoutMs = 5_000;

/**
 * Sends spans in batches, within a bound, and reports losses. The library's own queue drops spans silently, and does
 * not report those that its exporter cannot send.
 */
export class SpanOutlet implements SpanProcessor {
  readonly #batches: BatchSpanProcessor;
  readonly #onSpans: ExportOutcomeListener;
  #waiting = 0;

  constructor(exporter: SpanExporter, onSpans: ExportOutcomeListener) {
    this.#onSpans = onSpans;
    this.#batches = new BatchSpanProcessor({
      exporter: this.#watched(exporter),
      maxQueueSize: maximumWaitingSpans,
      scheduledDelayMillis: exportIntervalMs,
      exportTimeoutMillis: exportTimeoutMs,
    });
  }

  onStart(span: Span, parent: Context): void {
    this.#batches.onStart(span, parent);
  }

  onEnd(span: ReadableSpan): void {
    if (this.#waiting >= maximumWaitingSpans) {
      this.#onSpans('dropped', 1);
      return;
    }
    this.#waiting += 1;
    this.#batches.onEnd(span);
  }

  forceFlush(): Promise<void> {
    return this.#batches.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#batches.shutdown();
  }

  #watched(exporter: SpanExporter): SpanExporter {
    return {
      export: (spans, done) => {
        exporter.export(spans, (result) => {
          this.#waiting -= spans.length;
          const exported = result.code === ExportResultCode.SUCCESS;
          this.#onSpans(exported ? 'exported' : 'failed', spans.length, result.error);
          done(result);
        });
      },
      shutdown: () => exporter.shutdown(),
    };
  }
}
