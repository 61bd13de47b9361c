import { randomBytes } from 'node:crypto';
import { type BigIntStats, chmodSync, linkSync, lstatSync, renameSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import type { Principal } from '../../calls/principal.js';
import { type DescriptorBounds, guardAccepts } from './accept-guard.js';
import type { Connection } from './connections.js';
import { type Listener, listening } from './listener.js';
import { type RefusalReporter, reportDrops } from './refusals.js';

/** `path` has at most 107 bytes (unix(7)). Its folder must exist and be writable: the socket is made there. */
export interface UnixListenerOptions {
  kind: 'unix';
  path: string;
  /** Every process that can open the socket is this principal: Node cannot ask the kernel for the peer's identity. */
  principal: Principal;
}

/** The face's part of a listener without TLS. Connections beyond `maximumConnections` are closed at once. */
export interface LocalListenerDependencies {
  accept(socket: Socket, connection: Connection): void;
  maximumConnections: number;
  /** Undefined: file descriptors are not bounded. */
  descriptors: DescriptorBounds | undefined;
  refusals: RefusalReporter;
}

/** sun_path of Linux, without the NUL (unix(7)). */
export const maxSocketPathBytes = 107;

/**
 * The length that `maxSocketPathBytes` bounds: of the socket's path, or of its temporary name if that is longer.
 */
export function socketPathBytes(path: string): number {
  return Math.max(Buffer.byteLength(path), Buffer.byteLength(join(dirname(path), '.01234567')));
}

/**
 * Starts to listen on a Unix socket that only its owner can open (0600), from its first moment on. An existing file is
 * removed only if it is a socket on which no process listens. That holds for several starts at once too: each socket is
 * made under a name of its own, and takes the path only if nothing is there (link(2)).
 */
export async function startUnixListener(
  options: UnixListenerOptions,
  dependencies: LocalListenerDependencies,
): Promise<Listener> {
  const { path, principal } = options;
  const ownPath = join(dirname(path), `.${randomBytes(4).toString('hex')}`);
  if (socketPathBytes(path) > maxSocketPathBytes) {
    throw new Error(`The path of a Unix socket has at most ${maxSocketPathBytes} bytes: ${path}`);
  }
  const server = createServer((socket) => dependencies.accept(socket, { principal, sourceAddress: 'unix' }));
  guardAccepts(server, dependencies.maximumConnections, dependencies.descriptors);
  reportDrops(server, dependencies.refusals);
  await listenPrivately(server, ownPath);
  try {
    await takePath(ownPath, path);
  } catch (error) {
    // Node removes the file of a server that listened.
    server.close();
    throw error;
  }
  const made = statOf(ownPath);
  unlinkSync(ownPath);
  const stop = (): void => {
    if (made !== undefined && isSame(made, statOf(path))) unlinkSync(path);
    server.close();
  };
  return { bound: { kind: 'unix', path }, stop };
}

async function listenPrivately(server: Server, path: string): Promise<void> {
  // The file is made inside `listen`: its mode must be right then, not a moment later.
  const umask = process.umask(0o177);
  try {
    await listening(server, () => server.listen(path));
  } finally {
    process.umask(umask);
  }
  chmodSync(path, 0o600);
}

async function takePath(ownPath: string, path: string): Promise<void> {
  if (linked(ownPath, path)) return;
  await removeDeadSocket(path);
  if (!linked(ownPath, path)) throw anotherListens(path);
}

/** @returns false if there is a file at the socket's path. */
function linked(ownPath: string, path: string): boolean {
  try {
    linkSync(ownPath, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function removeDeadSocket(path: string): Promise<void> {
  const found = statOf(path);
  if (found === undefined) return;
  if (!found.isSocket())
    throw new Error(`There is a file that is not a socket in the place of the Unix socket: ${path}`);
  if (await isAnswered(path)) throw anotherListens(path);
  // Another start may have put its living socket here meanwhile: the moved file is compared, and put back. All in one
  // turn of the event loop: the path is never without a living socket for longer than a few system calls.
  if (!isSame(found, statOf(path))) throw anotherListens(path);
  const movedPath = join(dirname(path), `.${randomBytes(4).toString('hex')}`);
  if (!movedAway(path, movedPath)) return;
  const isDead = isSame(found, statOf(movedPath));
  if (!isDead) linked(movedPath, path);
  unlinkSync(movedPath);
  if (!isDead) throw anotherListens(path);
}

/**
 * Compares a socket's modification time too, which is when it was made: the inode number of a removed file may be
 * reused.
 */
function isSame(one: BigIntStats, other: BigIntStats | undefined): boolean {
  return one.ino === other?.ino && one.mtimeNs === other.mtimeNs;
}

/** @returns false if another start has moved it. */
function movedAway(path: string, movedPath: string): boolean {
  try {
    renameSync(path, movedPath);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function anotherListens(path: string): Error {
  return new Error(`Another process listens on the Unix socket ${path}`);
}

function statOf(path: string): BigIntStats | undefined {
  return lstatSync(path, { throwIfNoEntry: false, bigint: true });
}

/** A socket that is gone, because another start has moved it away, does not answer. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false);
      else reject(error);
    });
  });
}
