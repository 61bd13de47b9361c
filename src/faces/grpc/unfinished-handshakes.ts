import type { Socket } from 'node:net';
import { sourceAddressOf } from './connections.js';
import { ownReasons } from './refusal-reason.js';
import type { RefusalReporter } from './refusals.js';

/**
 * The TCP connections of a listener whose TLS handshake is not done. They are anybody's, so that they get a small part of
 * the listener's connections; beyond it the oldest goes, since an honest handshake takes milliseconds.
 */
export class UnfinishedHandshakes {
  readonly #most: number;
  readonly #refusals: RefusalReporter;
  /** By both ends of the connection, which are the same for a TLS socket and for the TCP socket below it. */
  readonly #sockets = new Map<string, Socket>();

  constructor(most: number, refusals: RefusalReporter) {
    this.#most = most;
    this.#refusals = refusals;
  }

  begin(socket: Socket): void {
    const name = nameOf(socket);
    this.#sockets.set(name, socket);
    socket.once('close', () => {
      if (this.#sockets.get(name) === socket) this.#sockets.delete(name);
    });
    if (this.#sockets.size > this.#most) this.#endOldest();
  }

  finish(secureSocket: Socket): void {
    this.#sockets.delete(nameOf(secureSocket));
  }

  #endOldest(): void {
    const [oldest] = this.#sockets;
    if (oldest === undefined) return;
    const [name, socket] = oldest;
    this.#sockets.delete(name);
    this.#refusals.refused(sourceAddressOf(socket), ownReasons.tooManyHandshakes);
    socket.destroy();
  }
}

function nameOf(socket: Socket): string {
  return [socket.localAddress, socket.localPort, socket.remoteAddress, socket.remotePort].join(' ');
}
