import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { Message } from '../test/e2e/client.js';
import type { Deployment, SpawnedServer } from '../test/e2e/deployment.js';

/** The share of requests that are traced where tracing is measured. */
const sampleRatio = 0.01;

/** One more server on the same tokens, catalog and keys, that tells more of itself. */
export interface ObservedServer {
  server: SpawnedServer;
  auditPath: string;
}

/** What telemetry costs: the server with 1 % of its requests traced, and the server that counts. */
export class ObservedServers {
  readonly traced: ObservedServer;
  readonly counted: ObservedServer;
  readonly #receiver: Receiver;

  static async start(deployment: Deployment): Promise<ObservedServers> {
    const receiver = await Receiver.start();
    const tracing = { endpoint: receiver.endpoint, sampleRatio };
    return new ObservedServers(
      receiver,
      await startWith(deployment, 'traced', { tracing }),
      await startWith(deployment, 'counted', { metrics: { port: 0 } }),
    );
  }

  private constructor(receiver: Receiver, traced: ObservedServer, counted: ObservedServer) {
    this.#receiver = receiver;
    this.traced = traced;
    this.counted = counted;
  }

  /** Throws where nothing was traced: then nothing was measured. */
  async stop(): Promise<void> {
    await Promise.all([this.traced, this.counted].map(({ server }) => server.end('SIGTERM')));
    const { bytes } = this.#receiver;
    this.#receiver.close();
    if (bytes === 0) throw new Error('The traced server has sent no spans.');
  }
}

async function startWith(deployment: Deployment, name: string, telemetry: Message): Promise<ObservedServer> {
  const configuration = parse(readFileSync(deployment.configurationPath, 'utf8')) as Message;
  const auditPath = join(deployment.folder, `audit-${name}.log`);
  const path = join(deployment.folder, `${name}.yaml`);
  configuration['telemetry'] = { logLevel: 'info', ...telemetry };
  configuration['audit'] = { file: auditPath };
  // One socket has one server.
  configuration['listeners'] = (configuration['listeners'] as Message[]).filter(({ kind }) => kind === 'tls');
  writeFileSync(path, stringify(configuration));
  const server = await deployment.spawn({}, path);
  await server.defaultKeyStoreConnected();
  // Requests that came before the key store was there are no failures of the load.
  truncateSync(auditPath);
  return { server, auditPath };
}

/** Takes spans and forgets them. */
class Receiver {
  readonly #server: Server;
  bytes = 0;

  static async start(): Promise<Receiver> {
    const receiver = new Receiver();
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  private constructor() {
    this.#server = createServer((request, response) => {
      request.on('data', (chunk: Buffer) => (this.bytes += chunk.byteLength));
      request.on('end', () => response.end());
    });
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/traces`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
