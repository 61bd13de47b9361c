import { OTLPExporterBase } from '@opentelemetry/otlp-exporter-base';
import { createOtlpHttpExportDelegate, httpAgentFactoryFromOptions } from '@opentelemetry/otlp-exporter-base/node-http';
import { ProtobufTraceSerializer, TraceExporterMetricsHelper } from '@opentelemetry/otlp-transformer';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import type { Secret } from '../secret.js';

/** A receiver that takes OTLP over HTTP, as protobuf. */
export interface OtlpExporterOptions {
  /** The whole URL of the receiver. */
  endpoint: string;
  /** Of each request; revealed only while it is sent. */
  headers: readonly { name: string; value: Secret }[];
  /** Longest time for one export, with all that it tries again. */
  timeoutMs: number;
}

/** As many batches as can wait: a flush sends all of them at once. */
const concurrencyLimit = 8;

/**
 * Sends spans by OTLP over HTTP, as protobuf. Put together from the parts of OpenTelemetry's exporter, because the
 * exporter as a whole adds headers and certificates from `OTEL_EXPORTER_OTLP_*`.
 */
export function createOtlpExporter({ endpoint, headers, timeoutMs }: OtlpExporterOptions): SpanExporter {
  const delegate = createOtlpHttpExportDelegate(
    {
      url: endpoint,
      timeoutMillis: timeoutMs,
      concurrencyLimit,
      compression: 'none',
      headers: () => Promise.resolve({ 'content-type': 'application/x-protobuf', ...revealed(headers) }),
      agentFactory: httpAgentFactoryFromOptions({ keepAlive: true }),
    },
    ProtobufTraceSerializer,
    'otlp_http_span_exporter',
    TraceExporterMetricsHelper,
    undefined,
  );
  return new OTLPExporterBase<ReadableSpan[]>(delegate);
}

function revealed(headers: OtlpExporterOptions['headers']): Record<string, string> {
  return Object.fromEntries(headers.map(({ name, value }) => [name, Buffer.from(value.reveal()).toString('utf8')]));
}
