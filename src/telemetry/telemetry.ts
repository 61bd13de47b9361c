import type { BackupSummary } from '../backup/summary.js';
import type { Logger } from 'pino';
import { type Clock, delay } from '../clock.js';
import type { ClusterStatus } from '../hsm/clusters.js';
import type { EncryptionBudget } from '../keys/encryption-budget.js';
import type { Secret } from '../secret.js';
import type { ServiceStatus } from '../status/service-status.js';
import type { RequestTracer } from '../calls/trace.js';
import type { ClusterNames } from './counter-seeds.js';
import { showCertificates } from './certificate-events.js';
import { type EventSink, otlpEvent, spanEvent } from './events.js';
import { type Loads, showClusters, showLoads } from './hsm-metrics.js';
import { Metrics } from './metrics.js';
import { MetricsEndpoint } from './metrics-endpoint.js';
import { showProcess } from './process-metrics.js';
import { copyLines } from './logger.js';
import type { OpenTelemetry } from './open-telemetry.js';
import type { OtlpReceiverOptions } from './otlp-exporters.js';
import { showBackups } from './backup-metrics.js';
import { showStatus } from './status-metrics.js';
import { Tracing } from './tracing.js';

/** Headers of the exports of each signal. */
export type OtlpHeaders = Readonly<
  Record<'tracing' | 'otlpMetrics' | 'otlpLogs', readonly { name: string; value: Secret }[]>
>;

/** The telemetry of this process, and its receivers; null switches a part off. */
export interface TelemetryOptions {
  /** The endpoint for Prometheus. */
  metrics: { address: string; port: number } | null;
  /** Which requests are traced, and the OTLP receiver of their spans. */
  tracing: { endpoint: string; sampleRatio: number; followCallers: boolean } | null;
  /** The OTLP receiver of metrics. */
  otlpMetrics: { endpoint: string; intervalMs: number } | null;
  /** The OTLP receiver of a copy of the log. */
  otlpLogs: { endpoint: string } | null;
  /** The service name in everything that is sent by OTLP. */
  serviceName: string;
  /** Whether `OTEL_*` is honoured. If not, these variables are removed from the process's environment. */
  environment: boolean;
  logger: Logger;
  clock: Clock;
  /** A number from 0 up to 1. */
  random: () => number;
  version: string;
  /** The clusters of the configuration. */
  clusters: readonly ClusterNames[];
  /** Ownership passes to `Telemetry`: destroyed after the last export. */
  otlpHeaders: OtlpHeaders;
}

/** The sources that are polled at every scrape. */
export interface MetricSources {
  clusters(): readonly ClusterStatus[];
  loads: Loads;
  backups(): BackupSummary | undefined;
  encryptionBudget: Pick<EncryptionBudget, 'mostUsed' | 'warnedMaterials'>;
  /** Key stores, audit log, disks, file descriptors. */
  status(): Promise<ServiceStatus>;
  ready(): boolean;
  faceLoad(): { connections: number; unfinishedRequestBytes: number };
}

/** Maximum time for one export, retries included. */
const exportTimeoutMs = 5_000;
/** Maximum time for the last spans: a flush sends all waiting spans at once, so none is sent later. */
const flushBoundMs = exportTimeoutMs + 500;

/** The telemetry of this process: log lines, metrics and traces. */
export class Telemetry {
  /** The receivers of events. */
  readonly sink: EventSink;
  /** The tracer of requests; undefined if tracing is off. */
  readonly tracer: RequestTracer | undefined;
  readonly #options: TelemetryOptions;
  readonly #openTelemetry: OpenTelemetry | undefined;
  readonly #stopCopying: () => void;
  readonly #endpoint: MetricsEndpoint | undefined;
  readonly #stopWatches: () => void;

  /** Rejects if the endpoint for metrics cannot listen on its address. */
  static async start(options: TelemetryOptions): Promise<Telemetry> {
    ignoreOpenTelemetryVariables(options);
    const { logger } = options;
    const counts = options.metrics !== null || options.otlpMetrics !== null;
    const metrics = counts ? new Metrics(options.clusters) : undefined;
    const sink = { logger, metrics };
    const openTelemetry = await startOpenTelemetry(options, sink);
    const endpoint =
      options.metrics === null || metrics === undefined
        ? undefined
        : await MetricsEndpoint.start({ ...options.metrics, metrics, logger });
    return new Telemetry(options, sink, openTelemetry, endpoint);
  }

  private constructor(
    options: TelemetryOptions,
    sink: EventSink,
    openTelemetry: OpenTelemetry | undefined,
    endpoint: MetricsEndpoint | undefined,
  ) {
    const { clock, version } = options;
    const { metrics } = sink;
    this.sink = sink;
    this.tracer = tracerOf(options, openTelemetry);
    this.#options = options;
    this.#openTelemetry = openTelemetry;
    this.#stopCopying = copyLog(options, openTelemetry);
    this.#endpoint = endpoint;
    this.#stopWatches = metrics === undefined ? () => undefined : showProcess(metrics, clock, version);
  }

  /** The port of the metrics endpoint; undefined if there is none. */
  get metricsPort(): number | undefined {
    return this.#endpoint?.port;
  }

  /** Adds sources that scrapes poll from now on. */
  watch(sources: MetricSources): void {
    const { metrics } = this.sink;
    metrics?.refreshWith(async () => {
      const { gauges } = metrics;
      const status = await sources.status();
      showStatus(metrics, status);
      showCertificates(metrics, status.certificates);
      gauges.ready.set(sources.ready() ? 1 : 0);
      const clusters = sources.clusters();
      showClusters(metrics, clusters);
      showLoads(metrics, clusters, sources.loads);
      showBackups(metrics, sources.backups());
      const { mostUsed } = sources.encryptionBudget;
      gauges.encryptionBudgetUsed.set(mostUsed === undefined ? 0 : mostUsed.used / mostUsed.limit);
      gauges.encryptionBudgetWarned.set(sources.encryptionBudget.warnedMaterials());
      const { connections, unfinishedRequestBytes } = sources.faceLoad();
      gauges.grpcConnections.set(connections);
      gauges.grpcUnfinishedRequestBytes.set(unfinishedRequestBytes);
    });
  }

  /** Sends the last spans, within a bound, and ends the endpoint. */
  async stop(): Promise<void> {
    const bound = new AbortController();
    this.#stopCopying();
    const flushed = this.#openTelemetry?.shutdown().catch((error: unknown) => {
      this.sink.logger.warn({ err: error }, 'the last telemetry could not be exported');
    });
    await Promise.race([flushed, delay(this.#options.clock, flushBoundMs, bound.signal)]);
    bound.abort();
    this.#stopWatches();
    await this.#endpoint?.close();
    for (const { value } of Object.values(this.#options.otlpHeaders).flat()) value.destroy();
  }
}

function tracerOf({ tracing, random }: TelemetryOptions, openTelemetry?: OpenTelemetry): Tracing | undefined {
  if (tracing === null || openTelemetry === undefined) return undefined;
  return new Tracing(openTelemetry.tracer, { ...tracing, random });
}

function copyLog({ logger, otlpLogs }: TelemetryOptions, openTelemetry?: OpenTelemetry): () => void {
  if (otlpLogs === null || openTelemetry === undefined) return () => undefined;
  return copyLines(logger, (line) => openTelemetry.emit(line));
}

/** OpenTelemetry is loaded only if it is used: it is larger than everything else that the server loads. */
async function startOpenTelemetry(options: TelemetryOptions, sink: EventSink): Promise<OpenTelemetry | undefined> {
  const { tracing, otlpMetrics, otlpLogs, clock } = options;
  if (tracing === null && otlpMetrics === null && otlpLogs === null) return undefined;
  const [exporters, { OpenTelemetry: Implementation }, { RegistryMetricProducer }] = await Promise.all([
    import('./otlp-exporters.js'),
    import('./open-telemetry.js'),
    import('./metric-producer.js'),
  ]);
  const receiver = (signal: keyof OtlpHeaders, { endpoint }: { endpoint: string }): OtlpReceiverOptions => ({
    endpoint,
    headers: options.otlpHeaders[signal],
    timeoutMs: exportTimeoutMs,
  });
  const { metrics } = sink;
  return new Implementation({
    serviceName: options.serviceName,
    serviceVersion: options.version,
    environment: options.environment,
    spans:
      tracing === null
        ? undefined
        : {
            exporter: exporters.createSpanExporter(receiver('tracing', tracing)),
            onSpans: spanEvent(sink, clock),
          },
    metrics:
      otlpMetrics === null || metrics === undefined
        ? undefined
        : {
            exporter: exporters.createMetricExporter(receiver('otlpMetrics', otlpMetrics)),
            producer: new RegistryMetricProducer(metrics, clock),
            intervalMs: otlpMetrics.intervalMs,
            onExports: otlpEvent(sink, clock, 'metrics'),
          },
    logRecords:
      otlpLogs === null
        ? undefined
        : {
            exporter: exporters.createLogExporter(receiver('otlpLogs', otlpLogs)),
            onRecords: otlpEvent(sink, clock, 'logs'),
          },
  });
}

/**
 * Removes `OTEL_*` from the environment: libraries read these variables by themselves at any time. A variable set for
 * other programs must not send telemetry of a key-management service elsewhere, or switch it off.
 */
function ignoreOpenTelemetryVariables({ environment, logger }: TelemetryOptions): void {
  if (environment) return;
  const ignored = Object.keys(process.env).filter((name) => name.startsWith('OTEL_'));
  for (const name of ignored) Reflect.deleteProperty(process.env, name);
  if (ignored.length > 0) logger.info({ ignored }, 'OTEL_* variables are ignored without telemetry.environment: true');
}
