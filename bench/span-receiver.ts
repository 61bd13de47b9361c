import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A collector that accepts spans and discards them. */
export class SpanReceiver {
  readonly #server: Server;
  /** The number of bytes that it has received. */
  bytes = 0;

  static async start(): Promise<SpanReceiver> {
    const receiver = new SpanReceiver();
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
