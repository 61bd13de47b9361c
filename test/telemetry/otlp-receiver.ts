/**
 * A receiver of OTLP over HTTP, like a collector: it keeps spans, metrics, log records, and every byte that it
 * received.
 */
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

export interface ReceivedSpan {
  traceId: string;
  spanId: string;
  /** The id of the parent; empty if there is none. */
  parentSpanId: string;
  traceState: string;
  name: string;
  attributes: Record<string, unknown>;
  /** A value of the OTLP enum: 0 unset, 1 ok, 2 error. */
  statusCode: number;
  statusMessage: string;
}

export interface ReceivedPoint {
  metric: string;
  attributes: Record<string, unknown>;
  /** The value; for a histogram, the number of its values. */
  value: number;
}

export interface ReceivedLogRecord {
  severityNumber: number;
  body: unknown;
  attributes: Record<string, unknown>;
  traceId: string;
}

interface WireAttributes {
  attributes?: { key: string; value: Record<string, unknown> }[];
}
interface WireSpan extends WireAttributes {
  traceId: Uint8Array;
  spanId: Uint8Array;
  parentSpanId?: Uint8Array;
  traceState?: string;
  name: string;
  status?: { code?: number; message?: string };
}
interface WirePoint extends WireAttributes {
  asDouble?: number;
  asInt?: number;
  count?: number;
}
type WirePoints = { dataPoints?: WirePoint[] };
interface WireMetric {
  name: string;
  gauge?: WirePoints;
  sum?: WirePoints;
  histogram?: WirePoints;
}
interface WireLogRecord extends WireAttributes {
  severityNumber: number;
  body?: Record<string, unknown>;
  traceId?: Uint8Array;
}
interface WireRequest {
  resourceSpans?: { resource?: WireAttributes; scopeSpans?: { spans?: WireSpan[] }[] }[];
  resourceMetrics?: { scopeMetrics?: { metrics?: WireMetric[] }[] }[];
  resourceLogs?: { scopeLogs?: { logRecords?: WireLogRecord[] }[] }[];
}

const root = new protobuf.Root().loadSync(fileURLToPath(new URL('otlp.proto', import.meta.url)));
const requestTypes: Readonly<Record<string, protobuf.Type>> = {
  '/v1/traces': root.lookupType('otlp.ExportTraceServiceRequest'),
  '/v1/metrics': root.lookupType('otlp.ExportMetricsServiceRequest'),
  '/v1/logs': root.lookupType('otlp.ExportLogsServiceRequest'),
};

export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  readonly points: ReceivedPoint[] = [];
  readonly logRecords: ReceivedLogRecord[] = [];
  readonly resources: Record<string, unknown>[] = [];
  readonly headers: IncomingHttpHeaders[] = [];
  readonly bodies: Buffer[] = [];
  readonly #server: Server;
  #answer = 200;

  static async start(): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver();
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        this.headers.push(request.headers);
        if (this.#answer === 200) this.#take(request.url ?? '', Buffer.concat(chunks));
        response.writeHead(this.#answer).end();
      });
    });
  }

  /** The value for `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  get base(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The endpoint for traces. */
  get endpoint(): string {
    return `${this.base}/v1/traces`;
  }

  /** Answers everything with this status from now on; anything but 200 is a refusal. */
  answerWith(status: number): void {
    this.#answer = status;
  }

  /** The spans of one trace. */
  trace(traceId: string): ReceivedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #take(path: string, body: Buffer): void {
    this.bodies.push(body);
    const requestType = requestTypes[path];
    if (requestType === undefined) throw new Error(`Nothing is received at ${path}.`);
    const decoded = requestType.toObject(requestType.decode(body), { longs: Number, defaults: false }) as WireRequest;
    for (const { scopeMetrics = [] } of decoded.resourceMetrics ?? [])
      for (const { metrics = [] } of scopeMetrics) this.points.push(...metrics.flatMap(pointsOf));
    for (const { scopeLogs = [] } of decoded.resourceLogs ?? [])
      for (const { logRecords = [] } of scopeLogs) this.logRecords.push(...logRecords.map(logRecordOf));
    for (const { resource, scopeSpans = [] } of decoded.resourceSpans ?? []) {
      this.resources.push(attributesOf(resource ?? {}));
      for (const { spans = [] } of scopeSpans) this.spans.push(...spans.map(received));
    }
  }
}

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');

function pointsOf({ name, gauge, sum, histogram }: WireMetric): ReceivedPoint[] {
  const { dataPoints = [] } = gauge ?? sum ?? histogram ?? {};
  return dataPoints.map((point) => ({
    metric: name,
    attributes: attributesOf(point),
    value: point.asDouble ?? point.asInt ?? point.count ?? 0,
  }));
}

function logRecordOf(record: WireLogRecord): ReceivedLogRecord {
  return {
    severityNumber: record.severityNumber,
    body: Object.values(record.body ?? {})[0],
    attributes: attributesOf(record),
    traceId: hex(record.traceId),
  };
}

function received(span: WireSpan): ReceivedSpan {
  return {
    traceId: hex(span.traceId),
    spanId: hex(span.spanId),
    parentSpanId: hex(span.parentSpanId),
    traceState: span.traceState ?? '',
    name: span.name,
    attributes: attributesOf(span),
    statusCode: span.status?.code ?? 0,
    statusMessage: span.status?.message ?? '',
  };
}

function attributesOf({ attributes = [] }: WireAttributes): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
