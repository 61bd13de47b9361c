import { BlockList, createServer, isIPv6 } from 'node:net';
import type { Principal } from '../../calls/principal.js';
import { guardAccepts } from './accept-guard.js';
import { sourceAddressOf } from './connections.js';
import { boundTcp, type Listener, listening } from './listener.js';
import { reportDrops } from './refusals.js';
import type { LocalListenerDependencies } from './unix-listener.js';

/** TCP without TLS, for a client on the same machine. The peer is not authenticated. */
export interface PlaintextListenerOptions {
  kind: 'plaintext';
  /** An IP address of the loopback interface. */
  address: string;
  port: number;
  /** Every process of this machine that connects is this principal. */
  principal: Principal;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Starts to listen on TCP without TLS. Refuses every address but 127.0.0.0/8 and ::1; names are refused too. */
export async function startPlaintextListener(
  options: PlaintextListenerOptions,
  dependencies: LocalListenerDependencies,
): Promise<Listener> {
  const { address, port, principal } = options;
  if (!loopback.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')) {
    throw new Error(
      `Plaintext is for loopback addresses only (127.0.0.0/8 or ::1), not for ${address}: use a TLS listener there.`,
    );
  }
  const server = createServer((socket) => {
    dependencies.accept(socket, { principal, sourceAddress: sourceAddressOf(socket) });
  });
  guardAccepts(server, dependencies.maximumConnections, dependencies.descriptors);
  reportDrops(server, dependencies.refusals);
  await listening(server, () => server.listen({ host: address, port }));
  return { bound: boundTcp('plaintext', server), stop: () => void server.close() };
}
