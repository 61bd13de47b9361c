import type { Socket } from 'node:net';
import { type ConnectionInjector, type Server, ServerCredentials } from '@grpc/grpc-js';
import type { Connection, Connections } from './connections.js';

/** How connections of one listener reach grpc-js. */
export class ConnectionInjection {
  readonly #server: Server;
  readonly #connections: Connections;
  #injector: ConnectionInjector;
  #closed = false;

  constructor(server: Server, connections: Connections) {
    this.#server = server;
    this.#connections = connections;
    this.#injector = newInjector(server);
  }

  /** Takes over a connection; one that comes after `close` is dropped. */
  accept(socket: Socket, connection: Connection): void {
    if (this.#closed) {
      socket.destroy();
      return;
    }
    // A peer that resets its connection is nobody's error; `close` follows.
    socket.on('error', () => socket.destroy());
    this.#connections.admit(socket, connection);
    this.#injector.injectConnection(socket);
  }

  /** Asks all clients to connect again (GOAWAY): their calls in flight finish within `graceMs`. New connections go on. */
  renew(graceMs: number): void {
    const previous = this.#injector;
    this.#injector = newInjector(this.#server);
    previous.drain(graceMs);
    previous.destroy();
  }

  /** As `renew`, for good. */
  close(graceMs: number): void {
    this.#closed = true;
    this.#injector.drain(graceMs);
  }
}

function newInjector(server: Server): ConnectionInjector {
  return server.createConnectionInjector(ServerCredentials.createInsecure());
}
