import type { Socket } from 'node:net';
import { type ConnectionInjector, type Server, ServerCredentials } from '@grpc/grpc-js';
import type { Connection, Connections } from './connections.js';

/** Injects the connections of one listener into grpc-js. */
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

  /** Takes over a connection; drops one that arrives after `close`. */
  accept(socket: Socket, connection: Connection): void {
    if (this.#closed) {
      socket.destroy();
      return;
    }
    // A peer that resets its connection is not an error; `close` follows.
    socket.on('error', () => socket.destroy());
    this.#connections.admit(socket, connection);
    this.#injector.injectConnection(socket);
  }

  /**
   * Asks all clients to reconnect (GOAWAY): their calls in flight may finish within `graceMs`. New connections are
   * still accepted.
   */
  renew(graceMs: number): void {
    const previous = this.#injector;
    this.#injector = newInjector(this.#server);
    previous.drain(graceMs);
    previous.destroy();
  }

  /** Asks all clients to reconnect, like `renew`, and accepts no more connections. */
  close(graceMs: number): void {
    this.#closed = true;
    this.#injector.drain(graceMs);
  }
}

function newInjector(server: Server): ConnectionInjector {
  return server.createConnectionInjector(ServerCredentials.createInsecure());
}
