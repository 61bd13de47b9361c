import { lstat } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { dirname } from 'node:path';
import type { ListenerConfiguration, UnixListener } from '../config/configuration.js';
import { maxSocketPathBytes, socketPathBytes } from '../faces/grpc/unix-listener.js';
import { isProblem, lookAt } from '../path-problem.js';
import { folderProblem } from './directories.js';
import type { Finding } from './finding.js';
import { ok, refuse, warn } from './finding.js';
import type { Surroundings } from './precondition.js';

/** The addresses, ports and sockets that the service listens on. */
export async function checkListening({ configuration, asks }: Surroundings): Promise<Finding[]> {
  const findings = await Promise.all(
    configuration.listeners.map((listener) =>
      listener.kind === 'unix' ? checkSocket(listener, asks) : checkAddress(nameOf(listener), listener, asks),
    ),
  );
  const { metrics } = configuration.telemetry;
  return metrics === null ? findings : [...findings, await checkAddress('metrics', metrics, asks)];
}

function nameOf(listener: ListenerConfiguration & { address: string; port: number }): string {
  return `listener ${listener.kind} ${listener.address}:${listener.port}`;
}

/** Listens briefly: only the system knows whether the address can be used. */
async function checkAddress(
  subject: string,
  { address, port }: { address: string; port: number },
  asks: Surroundings['asks'],
): Promise<Finding> {
  const code = await listenError(address, port);
  if (code === undefined) return ok(subject, 'can be listened on');
  if (code === 'EADDRINUSE') return inUse(subject, asks);
  if (code === 'EACCES')
    return refuse(
      subject,
      'this user may not listen there (EACCES)',
      'use a port above 1023, or give the unit CAP_NET_BIND_SERVICE',
    );
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return refuse(subject, `this machine has no such address (${code})`, 'name an address of this machine, or 0.0.0.0');
  return refuse(subject, `it cannot be listened on (${code})`, 'check address and port');
}

/**
 * The finding for an address in use. If the service is running, it is probably the process that listens: an operator's
 * `doctor` therefore only warns.
 */
function inUse(subject: string, asks: Surroundings['asks']): Finding {
  const message = 'another process listens there (EADDRINUSE)';
  if (asks === 'operator')
    return warn(subject, message, 'fine if it is the running service; ss -ltnp shows which it is');
  return refuse(subject, message, 'perhaps this service is running already: ss -ltnp shows which process it is');
}

function listenError(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port, exclusive: true }, () => void server.close(() => resolve(undefined)));
  });
}

async function checkSocket({ path }: UnixListener, asks: Surroundings['asks']): Promise<Finding> {
  const subject = `listener unix ${path}`;
  if (socketPathBytes(path) > maxSocketPathBytes)
    return refuse(subject, `its path has more than ${maxSocketPathBytes} bytes`, 'name a shorter path');
  const folder = dirname(path);
  const problem = await folderProblem(folder, `make it: mkdir -m 700 ${folder}`);
  if (problem !== undefined) return refuse(subject, `its folder ${folder} ${problem.reason}`, problem.remedy);
  const found = await lookAt(path, lstat);
  if (isProblem(found))
    return found.code === 'ENOENT' ? ok(subject, 'can be made') : refuse(subject, `it ${found.reason}`, found.remedy);
  if (!found.isSocket())
    return refuse(subject, 'a file that is not a socket is in its place', 'move the file away, or name another path');
  return (await isAnswered(path)) ? inUse(subject, asks) : ok(subject, 'a socket that nothing listens on is replaced');
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const answer = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.once('connect', () => answer(true)).once('error', () => answer(false));
  });
}
