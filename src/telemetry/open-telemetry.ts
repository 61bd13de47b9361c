import { type ContextManager, metrics, trace, type Tracer } from '@opentelemetry/api';
import { type Logger as LogRecordSink, logs } from '@opentelemetry/api-logs';
import { envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import type { LogRecordExporter } from '@opentelemetry/sdk-logs';
import {
  type MetricProducer,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { AlwaysOnSampler, type SpanExporter } from '@opentelemetry/sdk-trace';
import { LogOutlet, logRecordOf } from './log-outlet.js';
import { watchedMetricExporter } from './metric-outlet.js';
import { type ExportOutcomeListener, SpanOutlet } from './span-outlet.js';

/** The signals that one OpenTelemetry SDK sends, and their receivers. A signal without an exporter is not set up. */
export interface OpenTelemetryOptions {
  serviceName: string;
  serviceVersion: string;
  /** Whether `OTEL_RESOURCE_ATTRIBUTES` describes this process. */
  environment: boolean;
  spans?: { exporter: SpanExporter; onSpans: ExportOutcomeListener } | undefined;
  logRecords?: { exporter: LogRecordExporter; onRecords: ExportOutcomeListener } | undefined;
  metrics?:
    | {
        exporter: PushMetricExporter;
        producer: MetricProducer;
        intervalMs: number;
        onExports: ExportOutcomeListener;
      }
    | undefined;
}

/** Maximum time for one export of metrics. */
const metricExportTimeoutMs = 5_000;

/**
 * OpenTelemetry's SDK for Node, with every part given explicitly: no automatic instrumentation, no propagator, and no
 * context manager (its promise hooks would cost every request on Node 20). Nothing stays registered globally, so each
 * server of a process has its own.
 */
export class OpenTelemetry {
  readonly tracer: Tracer;
  readonly #sdk: NodeSDK;
  readonly #logRecords: LogRecordSink;

  constructor(options: OpenTelemetryOptions) {
    const { serviceName, serviceVersion, environment } = options;
    this.#sdk = new NodeSDK({
      resource: resourceFromAttributes({
        'service.name': serviceName,
        'service.version': serviceVersion,
        'process.pid': process.pid,
      }),
      autoDetectResources: environment,
      resourceDetectors: [envDetector],
      // The configured service name wins over the environment.
      serviceName,
      instrumentations: [],
      // Null registers none (NodeSDK's own convention, which its types leave out).
      contextManager: null as unknown as ContextManager,
      textMapPropagator: null,
      // Sampling is decided before a span exists (`Tracing`).
      sampler: new AlwaysOnSampler(),
      spanProcessors: spanProcessorsOf(options),
      metricReaders: metricReadersOf(options),
      logRecordProcessors: logRecordProcessorsOf(options),
    });
    unregister();
    this.#sdk.start();
    this.tracer = trace.getTracer('holdfast', serviceVersion);
    this.#logRecords = logs.getLogger('holdfast', serviceVersion);
    unregister();
  }

  /** Sends one line of the log. */
  emit(line: string): void {
    this.#logRecords.emit(logRecordOf(line));
  }

  /** Sends everything that waits. Resolves when that is done or has failed, which the listeners report. */
  shutdown(): Promise<void> {
    return this.#sdk.shutdown();
  }
}

/** `NodeSDK` gives access to its providers only by registering them. */
function unregister(): void {
  trace.disable();
  logs.disable();
  metrics.disable();
}

function spanProcessorsOf({ spans }: OpenTelemetryOptions): SpanOutlet[] {
  return spans === undefined ? [] : [new SpanOutlet(spans.exporter, spans.onSpans)];
}

function logRecordProcessorsOf({ logRecords }: OpenTelemetryOptions): LogOutlet[] {
  return logRecords === undefined ? [] : [new LogOutlet(logRecords.exporter, logRecords.onRecords)];
}

function metricReadersOf(options: OpenTelemetryOptions): PeriodicExportingMetricReader[] {
  if (options.metrics === undefined) return [];
  const { exporter, producer, intervalMs, onExports } = options.metrics;
  return [
    new PeriodicExportingMetricReader({
      exporter: watchedMetricExporter(exporter, onExports),
      metricProducers: [producer],
      exportIntervalMillis: intervalMs,
      exportTimeoutMillis: Math.min(metricExportTimeoutMs, intervalMs),
    }),
  ];
}
