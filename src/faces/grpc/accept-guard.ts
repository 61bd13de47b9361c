import type { Server, Socket } from 'node:net';

/** How many file descriptors connections may use, and who is told. */
export interface DescriptorBounds {
  /** A connection whose descriptor is this or higher is closed at once, but for the only one of its listener. */
  firstReserved: number;
  onEvent(event: DescriptorEvent): void;
}

/**
 * - `refused`: a connection was closed at once, or could not be accepted, for want of file descriptors.
 * - `short`: from here on connections are refused; what is left is kept for tokens, audit log and metrics.
 * - `enough`: there are enough again.
 */
export type DescriptorEvent =
  | { kind: 'refused'; cause?: unknown }
  | { kind: 'short'; connections: number }
  | { kind: 'enough' };

/**
 * Bounds the connections of a listener, by number and by file descriptors. The kernel gives the lowest descriptor that is
 * free, so that the number of a new one says how many are left, whoever uses the others. Without this a listener at
 * RLIMIT_NOFILE closes new connections and nobody hears of it, and tokens and audit log cannot open what they need. Each connection is
 * looked at by itself: a listener that was held at the number it had when descriptors ran short stayed at it after there were enough again. An
 * accept that fails is counted; Node would end the process for it.
 */
export function guardAccepts(server: Server, maximumConnections: number, bounds: DescriptorBounds | undefined): void {
  server.maxConnections = maximumConnections;
  // Before it listens an error is its start's.
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
    // One goes on: an operator's way in by the Unix socket is not closed by those who fill another listener.
    if (!isShort || open === 1) return;
    bounds.onEvent({ kind: 'refused' });
    socket.destroy();
  });
}

/** Not documented; where Node should stop telling it, connections are bounded by their number alone. */
function descriptorOf(socket: Socket): number {
  const { _handle: handle } = socket as { _handle?: { fd?: number } };
  return handle?.fd ?? -1;
}
