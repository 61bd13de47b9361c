/** A receiver of OTLP over HTTP, as a collector is one: it keeps the spans, and every byte that it was sent. */
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

export interface ReceivedSpan {
  traceId: string;
  spanId: string;
  /** Empty where it has none. */
  parentSpanId: string;
  traceState: string;
  name: string;
  attributes: Record<string, unknown>;
  /** Of the OTLP enum: 0 unset, 1 ok, 2 error. */
  statusCode: number;
  statusMessage: string;
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
interface WireRequest {
  resourceSpans?: { resource?: WireAttributes; scopeSpans?: { spans?: WireSpan[] }[] }[];
}

const requestType = new protobuf.Root()
  .loadSync(fileURLToPath(new URL('otlp-trace.proto', import.meta.url)))
  .lookupType('otlp.ExportTraceServiceRequest');

export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
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
        if (this.#answer === 200) this.#take(Buffer.concat(chunks));
        response.writeHead(this.#answer).end();
      });
    });
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/traces`;
  }

  /** Answers everything with this status from now on; what is not 200 is not taken. */
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

  #take(body: Buffer): void {
    this.bodies.push(body);
    const decoded = requestType.toObject(requestType.decode(body), { longs: Number, defaults: false }) as WireRequest;
    for (const { resource, scopeSpans = [] } of decoded.resourceSpans ?? []) {
      this.resources.push(attributesOf(resource ?? {}));
      for (const { spans = [] } of scopeSpans) this.spans.push(...spans.map(received));
    }
  }
}

function received(span: WireSpan): ReceivedSpan {
  const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');
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
