import type { Socket } from 'node:net';
import { sourceAddressOf } from './connections.js';
import type { RefusalReporter } from './refusals.js';

/**
 * Connections of a listener that are anybody's, so that they get a part of it and leave the rest to principals: those whose TLS handshake is
 * not done, and those of certificates that the configuration knows nobody by. Beyond it the oldest goes: an honest handshake takes milliseconds,
 * and what a stranger asks is denied at once.
 */
export class BoundedSockets {
  readonly #most: number;
  readonly #reason: string;
  readonly #refusals: RefusalReporter;
  /** By both ends of the connection, which are the same for a TLS socket and for the TCP socket below it. */
  readonly #sockets = new Map<string, { socket: Socket; sourceAddress: string }>();

  /** @param reason of those that go */
  constructor(most: number, reason: string, refusals: RefusalReporter) {
    this.#most = most;
    this.#reason = reason;
    this.#refusals = refusals;
  }

  begin(socket: Socket): void {
    const name = nameOf(socket);
    // The name that grpc-js knows a connection by takes the place of its address later.
    this.#sockets.set(name, { socket, sourceAddress: sourceAddressOf(socket) });
    socket.once('close', () => {
      if (this.#sockets.get(name)?.socket === socket) this.#sockets.delete(name);
    });
    if (this.#sockets.size > this.#most) this.#endOldest();
  }

  /** It is none of them any more. */
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
