import type { Logger } from 'pino';
import { type Clock, delay } from '../clock.js';
import type { ClusterStatus } from '../hsm/clusters.js';
import type { EncryptionBudget } from '../operations/encryption-budget.js';
import type { Secret } from '../secret.js';
import type { ServiceStatus } from '../status/service-status.js';
import type { RequestTracer } from '../trace.js';
import type { ClusterNames } from './counter-seeds.js';
import { type EventSink, spanEvent } from './events.js';
import { showClusters } from './hsm-metrics.js';
import { Metrics } from './metrics.js';
import { MetricsEndpoint } from './metrics-endpoint.js';
import { showProcess } from './process-metrics.js';
import { showStatus } from './status-metrics.js';
import type { Tracing } from './tracing.js';

/** What is told of this process, and where. Given by `compose.ts`. */
export interface TelemetryOptions {
  logger: Logger;
  clock: Clock;
  /** A number from 0 up to 1. */
  random: () => number;
  version: string;
  /** Of the configuration. */
  clusters: readonly ClusterNames[];
  /** Null: nothing is counted. */
  metrics: { address: string; port: number } | null;
  /** Null: nothing is traced. */
  tracing: { endpoint: string; sampleRatio: number; followCallers: boolean; serviceName: string } | null;
  /** Taken over: destroyed when tracing has ended. */
  tracingHeaders: readonly { name: string; value: Secret }[];
}

/** What metrics ask at every scrape. */
export interface MetricSources {
  clusters(): readonly ClusterStatus[];
  encryptionBudget: Pick<EncryptionBudget, 'mostUsed' | 'warnedMaterials'>;
  /** Key stores, audit log, disks, file descriptors. */
  status(): Promise<ServiceStatus>;
  ready(): boolean;
  faceLoad(): { connections: number; unfinishedRequestBytes: number };
}

/** Longest time for one export, with all that it tries again. */
const exportTimeoutMs = 5_000;
/** Longest time for the last spans at the end: a flush sends all that waits at once, so that nothing of it is under way later. */
const flushBoundMs = exportTimeoutMs + 500;

/** What this process tells of itself: log lines, metrics and traces. */
export class Telemetry {
  /** Where events go. */
  readonly sink: EventSink;
  /** Undefined where nothing is traced. */
  readonly tracer: RequestTracer | undefined;
  readonly #options: TelemetryOptions;
  readonly #tracing: Tracing | undefined;
  readonly #endpoint: MetricsEndpoint | undefined;
  readonly #stopWatches: () => void;

  /** Rejects when the address of the metrics cannot be listened on. */
  static async start(options: TelemetryOptions): Promise<Telemetry> {
    const { logger } = options;
    const metrics = options.metrics === null ? undefined : new Metrics(options.clusters);
    const sink = { logger, metrics };
    const tracing = await startTracing(options, sink);
    const endpoint =
      options.metrics === null || metrics === undefined
        ? undefined
        : await MetricsEndpoint.start({ ...options.metrics, metrics, logger });
    return new Telemetry(options, sink, tracing, endpoint);
  }

  private constructor(
    options: TelemetryOptions,
    sink: EventSink,
    tracing: Tracing | undefined,
    endpoint: MetricsEndpoint | undefined,
  ) {
    const { clock, version } = options;
    const { metrics } = sink;
    this.sink = sink;
    this.tracer = tracing;
    this.#options = options;
    this.#tracing = tracing;
    this.#endpoint = endpoint;
    this.#stopWatches = metrics === undefined ? () => undefined : showProcess(metrics, clock, version);
  }

  /** The port of the metrics; undefined where they are not served. */
  get metricsPort(): number | undefined {
    return this.#endpoint?.port;
  }

  /** From here on scrapes ask these too. */
  watch(sources: MetricSources): void {
    const { metrics } = this.sink;
    metrics?.refreshWith(async () => {
      const { gauges } = metrics;
      showStatus(metrics, await sources.status());
      gauges.ready.set(sources.ready() ? 1 : 0);
      showClusters(metrics, sources.clusters());
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
    const flushed = this.#tracing?.shutdown().catch((error: unknown) => {
      this.sink.logger.warn({ err: error }, 'the last spans could not be exported');
    });
    await Promise.race([flushed, delay(this.#options.clock, flushBoundMs, bound.signal)]);
    bound.abort();
    this.#stopWatches();
    await this.#endpoint?.close();
    for (const { value } of this.#options.tracingHeaders) value.destroy();
  }
}

/** OpenTelemetry is loaded only where it is used: it is the larger part of what the server would load. */
async function startTracing(options: TelemetryOptions, sink: EventSink): Promise<Tracing | undefined> {
  const { tracing, tracingHeaders: headers, version, random, clock } = options;
  if (tracing === null) return undefined;
  const [{ createOtlpExporter }, { Tracing: Implementation }] = await Promise.all([
    import('./otlp-exporter.js'),
    import('./tracing.js'),
  ]);
  const exporter = createOtlpExporter({ endpoint: tracing.endpoint, headers, timeoutMs: exportTimeoutMs });
  const onSpans = spanEvent(sink, clock);
  return new Implementation({ ...tracing, exporter, serviceVersion: version, random, onSpans });
}
