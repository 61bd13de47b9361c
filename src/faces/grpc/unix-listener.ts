import { chmodSync, lstatSync, type Stats, unlinkSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import type { Principal } from '../../policy/authorizer.js';
import type { Connection } from './connections.js';
import { type BoundAddress, type Listener, listening } from './listener.js';

export interface UnixListenerOptions {
  kind: 'unix';
  path: string;
  /** Whoever can open the socket is this principal: Node cannot ask the kernel who the peer is. */
  principal: Principal;
}

export interface LocalListenerDependencies {
  accept(socket: Socket, connection: Connection): void;
  maximumConnections: number;
}

/** sun_path of Linux, without the NUL (unix(7)). */
const longestPathBytes = 107;

/**
 * Starts to listen on a Unix socket that only its owner can open (0600), from its first moment on.
 * A file that is there already is removed only if it is a socket that nobody listens on.
 */
export async function startUnixListener(
  options: UnixListenerOptions,
  dependencies: LocalListenerDependencies,
): Promise<Listener> {
  const { path, principal } = options;
  if (Buffer.byteLength(path) > longestPathBytes) {
    throw new Error(`The path of a Unix socket has at most ${longestPathBytes} bytes: ${path}`);
  }
  await removeDeadSocket(path);
  const server = createServer((socket) => dependencies.accept(socket, { principal, sourceAddress: 'unix' }));
  server.maxConnections = dependencies.maximumConnections;
  // The file is made inside `listen`: its mode must be right then, not a moment later.
  const umask = process.umask(0o177);
  try {
    await listening(server, () => server.listen(path));
  } finally {
    process.umask(umask);
  }
  chmodSync(path, 0o600);
  const bound: BoundAddress = { kind: 'unix', path };
  return { bound, stop: () => void server.close() };
}

async function removeDeadSocket(path: string): Promise<void> {
  const found = statOf(path);
  if (found === undefined) return;
  if (!found.isSocket())
    throw new Error(`There is a file that is not a socket in the place of the Unix socket: ${path}`);
  if (await isAnswered(path)) throw new Error(`Another process listens on the Unix socket ${path}`);
  unlinkSync(path);
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') resolve(false);
      else reject(error);
    });
  });
}
