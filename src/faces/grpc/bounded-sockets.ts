import type { Socket } from 'node:net';
import { sourceAddressOf } from './connections.js';
import type { RefusalReporter } from './refusals.js';

/**
 * Bounds the unauthenticated connections of a listener, and leaves the rest of the listener to principals:
 * connections whose TLS handshake is not done, and those whose certificate maps to no principal. Beyond the bound the
 * oldest is closed: an honest handshake takes milliseconds, and a stranger's requests are denied at once.
 */
export class BoundedSockets {
  readonly #most: number;
  readonly #reason: string;
  readonly #refusals: RefusalReporter;
  /** Keyed by both ends of the connection, which are the same for a TLS socket and for the TCP socket below it. */
  readonly #sockets = new Map<string, { socket: Socket; sourceAddress: string }>();

  /** @param reason why the oldest is closed */
  constructor(most: number, reason: string, refusals: RefusalReporter) {
    this.#most = most;
    this.#reason = reason;
    this.#refusals = refusals;
  }

  begin(socket: Socket): void {
    const name = nameOf(socket);
    // The name by which grpc-js knows a connection replaces its address later.
    this.#sockets.set(name, { socket, sourceAddress: sourceAddressOf(socket) });
    socket.once('close', () => {
      if (this.#sockets.get(name)?.socket === socket) this.#sockets.delete(name);
    });
    if (this.#sockets.size > this.#most) this.#endOldest();
  }

  /** The connection no longer counts. */
  end(secureSocket: Socket): void {
    this.#sockets.delete(nameOf(secureSocket));
  }

  #endOldest(): void {
    const [oldest] = this.#sockets;
    if (oldest === undefined) return;
    const [name, { socket, sourceAddress }] = oldest;
    this.#sockets.delete(name);
    this.#refusals.refused(sourceAddress, this.#reason);
    socket.destroy();
  }
}

function nameOf(socket: Socket): string {
  return [socket.localAddress, socket.localPort, socket.remoteAddress, socket.remotePort].join(' ');
}
