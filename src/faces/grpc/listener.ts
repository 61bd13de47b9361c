import type { Server as NetServer } from 'node:net';

/** A source of connections. */
export interface Listener {
  /** The address and port it is bound to, or the path of its socket. */
  readonly bound: BoundAddress;
  /** Stops accepting connections; open ones stay. Resolves at once. */
  stop(): void;
}

/** The address of a listener; `port` is the one that the system chose if 0 was requested. */
export type BoundAddress =
  | { kind: 'tls' | 'plaintext'; address: string; port: number }
  | { kind: 'unix'; path: string };

/** Resolves when the server listens; rejects with the reason why it cannot (EADDRINUSE, EACCES, …). */
export function listening(server: NetServer, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    listen();
  });
}

/** The address and port of a server that listens on TCP. */
export function boundTcp(kind: 'tls' | 'plaintext', server: NetServer): BoundAddress {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server does not listen on TCP.');
  return { kind, address: address.address, port: address.port };
}
