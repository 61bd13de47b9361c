/**
 * A process with one TLS listener, and nothing else that could use memory. It answers each message from its parent with
 * the resident memory in bytes, after a garbage collection.
 */
import { readFileSync } from 'node:fs';
import { systemClock } from '../../src/clock-system.js';
import { certificateNames } from '../../src/callers/principal-directory.js';
import { RefusalReporter } from '../../src/faces/grpc/refusals.js';
import { TlsListener } from '../../src/faces/grpc/tls-listener.js';

const [, , certificate = '', key = '', authority = ''] = process.argv;
const listener = await TlsListener.start(
  {
    kind: 'tls',
    address: '127.0.0.1',
    port: 0,
    certificate: readFileSync(certificate),
    key: readFileSync(key),
    clientCertificateAuthority: readFileSync(authority),
  },
  {
    principalOf: (presented) => {
      certificateNames(presented);
      return undefined;
    },
    accept: (socket) => {
      // A client may already have left, which does not matter.
      socket.on('error', () => socket.destroy());
      socket.end();
    },
    refusals: new RefusalReporter(systemClock, ({ reason }) => {
      throw new Error(reason);
    }),
    maximumConnections: 1_000,
    descriptors: undefined,
    maximumHandshakes: 1_000,
    maximumStrangers: 1_000,
    handshakeTimeoutMs: 60_000,
  },
);
process.on('message', () => {
  globalThis.gc?.();
  process.send?.({ residentBytes: process.memoryUsage.rss() });
});
process.on('disconnect', () => process.exit());
process.send?.({ port: (listener.bound as { port: number }).port });
