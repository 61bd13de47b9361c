import type { Socket } from 'node:net';
import type { CallerCertificate } from '../../audit/event.js';
import type { Principal } from '../../calls/principal.js';

/** The facts of a connection that hold from its beginning to its end. */
export interface Connection {
  /** Undefined if the caller's certificate maps to no principal. */
  principal: Principal | undefined;
  /** The verified certificate of a caller without a principal. */
  certificate?: CallerCertificate | undefined;
  /** IP address of the peer, or `unix`. */
  sourceAddress: string;
}

/**
 * The open connections, by the name that `call.getPeer()` returns. We choose the names, because the peer's address
 * and port may be the same for connections to two of our addresses, and are `unknown` on a Unix socket. One caller
 * must never be taken for another.
 */
export class Connections {
  readonly #byName = new Map<string, Connection>();
  #named = 0;
  #whenEmpty: (() => void)[] = [];

  /** Names the socket and remembers it until it closes. */
  admit(socket: Socket, connection: Connection): void {
    this.#named += 1;
    const name = `connection-${this.#named}`;
    this.#byName.set(name, connection);
    socket.once('close', () => this.#forget(name));
    // grpc-js builds the peer's name from these two properties of the socket.
    Object.defineProperty(socket, 'remoteAddress', { value: name });
    Object.defineProperty(socket, 'remotePort', { value: undefined });
  }

  /** Undefined if the connection has closed meanwhile: its caller no longer waits. */
  find(peer: string): Connection | undefined {
    return this.#byName.get(peer);
  }

  get size(): number {
    return this.#byName.size;
  }

  /** Resolves when no connection is open. */
  empty(): Promise<void> {
    if (this.#byName.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenEmpty.push(resolve));
  }

  #forget(name: string): void {
    this.#byName.delete(name);
    if (this.#byName.size > 0) return;
    for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }
}

/** The peer's IP address, an IPv4 address in IPv6 form as IPv4; `unknown` if the socket is already closed. */
export function sourceAddressOf(socket: Socket): string {
  return (socket.remoteAddress ?? 'unknown').replace(/^::ffff:(?=\d+\.)/, '');
}
