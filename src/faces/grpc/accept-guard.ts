import type { Server, Socket } from 'node:net';

/** The bound on the file descriptors of connections, and the listener of shortages. */
export interface DescriptorBounds {
  /** A connection whose descriptor is this or higher is closed at once, unless it is the only one of its listener. */
  firstReserved: number;
  onEvent(event: DescriptorEvent): void;
}

/**
 * - `refused`: a connection was closed at once, or could not be accepted, for lack of file descriptors.
 * - `short`: from now on connections are refused; the remaining descriptors are for tokens, audit log and metrics.
 * - `enough`: there are enough descriptors again.
 */
export type DescriptorEvent =
  | { kind: 'refused'; cause?: unknown }
  | { kind: 'short'; connections: number }
  | { kind: 'enough' };

/**
 * Bounds the connections of a listener, by number and by file descriptors. The kernel gives out the lowest free
 * descriptor, so the number of a new one shows how many are left, whatever uses the others. Without this bound a
 * listener at RLIMIT_NOFILE closes new connections without a report, and tokens and audit log cannot open their files.
 * Each connection is checked by itself: a limit derived from the number of connections at the time of a shortage would
 * stay after the shortage. A failing accept is counted; Node would end the process.
 */
export function guardAccepts(server: Server, maximumConnections: number, bounds: DescriptorBounds | undefined): void {
  server.maxConnections = maximumConnections;
  // The code that starts the server handles earlier errors.
  server.once('listening', () => {
    server.on('error', (cause) => bounds?.onEvent({ kind: 'refused', cause }));
  });
  if (bounds === undefined) return;
  let open = 0;
  let isShort = false;
  server.on('connection', (socket: Socket) => {
    open += 1;
    socket.once('close', () => (open -= 1));
    const wasShort = isShort;
    isShort = descriptorOf(socket) >= bounds.firstReserved;
    if (isShort && !wasShort) bounds.onEvent({ kind: 'short', connections: open });
    if (!isShort && wasShort) bounds.onEvent({ kind: 'enough' });
    // The only connection is kept: clients that fill another listener must not close an operator's way in by the Unix
    // socket.
    if (!isShort || open === 1) return;
    bounds.onEvent({ kind: 'refused' });
    socket.destroy();
  });
}

/** Undocumented in Node. If it goes away, connections are bounded by their number alone. */
function descriptorOf(socket: Socket): number {
  const { _handle: handle } = socket as { _handle?: { fd?: number } };
  return handle?.fd ?? -1;
}
