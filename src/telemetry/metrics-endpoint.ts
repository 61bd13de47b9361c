import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import type { Metrics } from './metrics.js';

/** The endpoint's address and the source of its metrics. A failed scrape is logged. */
export interface MetricsEndpointOptions {
  metrics: Metrics;
  logger: Logger;
  /** A loopback address: every process that reaches it may read. */
  address: string;
  /** 0 means any free port. */
  port: number;
  /** Maximum time until a connection has sent a whole request; default five seconds. */
  requestTimeoutMs?: number;
}

/** Prometheus's text format: Exposition formats, "Basic info". */
const contentType = 'text/plain; version=0.0.4; charset=utf-8';

/** A scraper or two, and a person with curl; no more may hold a socket. */
const maximumConnections = 16;
const defaultRequestTimeoutMs = 5_000;

/**
 * `GET /metrics` on a listener of its own, apart from the faces: a flood of requests on them does not stop monitoring.
 */
export class MetricsEndpoint {
  readonly #server: Server;
  readonly address: string;

  private constructor(server: Server) {
    this.#server = server;
    this.address = (server.address() as AddressInfo).address;
  }

  /** Rejects if it cannot listen on the address. */
  static async start(options: MetricsEndpointOptions): Promise<MetricsEndpoint> {
    const { metrics, logger, address, port, requestTimeoutMs = defaultRequestTimeoutMs } = options;
    const limits = {
      requestTimeout: requestTimeoutMs,
      headersTimeout: requestTimeoutMs,
      // Otherwise Node checks every 30 seconds, and silent connections could keep a scraper out that long.
      connectionsCheckingInterval: requestTimeoutMs / 5,
      keepAliveTimeout: 60_000,
    };
    const server = createServer(limits, (request, response) => void answer(metrics, logger, request, response));
    server.maxConnections = maximumConnections;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: address, port, exclusive: true }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    const endpoint = new MetricsEndpoint(server);
    logger.info({ address: endpoint.address, port: endpoint.port }, 'metrics are served');
    return endpoint;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends it at once, with all its connections. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}

async function answer(
  metrics: Metrics,
  logger: Logger,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  request.resume();
  try {
    if (request.url !== '/metrics') refuse(response, 404, 'There is /metrics, and nothing else.\n');
    else if (request.method !== 'GET') refuse(response, 405, 'GET it.\n');
    else {
      const text = await metrics.scrape();
      response.writeHead(200, { 'content-type': contentType, 'cache-control': 'no-store' });
      response.end(text);
    }
  } catch (error) {
    logger.error({ err: error }, 'metrics could not be gathered');
    refuse(response, 500, 'Metrics could not be gathered; the log says why.\n');
  }
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(text);
}
