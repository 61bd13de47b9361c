import type { PushMetricExporter } from '@opentelemetry/sdk-metrics';
import type { LogRecordExporter } from '@opentelemetry/sdk-logs';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import type { Secret } from '../secret.js';

/** A receiver of OTLP over HTTP, as protobuf. */
export interface OtlpReceiverOptions {
  /** The whole URL of the receiver, path included. */
  endpoint: string;
  /** Sent with each export; revealed only while it is sent. */
  headers: readonly { name: string; value: Secret }[];
  /** Maximum time for one export, retries included. */
  timeoutMs: number;
}

/** The maximum number of waiting batches: a flush sends all of them at once. */
const concurrencyLimit = 8;

/** Sends spans by OTLP. */
export function createSpanExporter(receiver: OtlpReceiverOptions): SpanExporter {
  return new OTLPTraceExporter(exporterConfiguration(receiver));
}

/** Sends log records by OTLP. */
export function createLogExporter(receiver: OtlpReceiverOptions): LogRecordExporter {
  return new OTLPLogExporter(exporterConfiguration(receiver));
}

/** Sends metrics by OTLP. */
export function createMetricExporter(receiver: OtlpReceiverOptions): PushMetricExporter {
  return new OTLPMetricExporter(exporterConfiguration(receiver));
}

/**
 * The exporters read options that are left out here from `OTEL_EXPORTER_OTLP_*` (certificates, compression, more
 * headers), which is why `ignoreEnvironment` comes first.
 */
function exporterConfiguration({ endpoint, headers, timeoutMs }: OtlpReceiverOptions) {
  return {
    url: endpoint,
    headers: () => Promise.resolve(revealed(headers)),
    timeoutMillis: timeoutMs,
    concurrencyLimit,
  };
}

function revealed(headers: OtlpReceiverOptions['headers']): Record<string, string> {
  return Object.fromEntries(headers.map(({ name, value }) => [name, Buffer.from(value.reveal()).toString('utf8')]));
}
