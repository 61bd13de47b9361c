import type { Logger } from 'pino';
import type { Clock } from './clock.js';
import { systemClock } from './clock-system.js';
import { compose, type HoldfastServer } from './compose.js';
import { Supervisor } from './composition/supervisor.js';
import { loadConfiguration } from './config/load.js';
import { loadAddon, type NativeAddon } from './hsm/native.js';
import { requirePreconditions } from './preconditions/start.js';
import { preconditionEvent } from './telemetry/caller-events.js';
import { createLogger } from './telemetry/logger.js';

/** Why a server stopped. */
export type StopReason = 'signal' | 'replacement';

/** Files that the server makes are for its user alone. */
const privateUmask = 0o077;

/**
 * Runs a server until SIGTERM or SIGINT, then drains it: config → compose → serve → drain. SIGHUP reads certificates
 * again and reopens the audit log. A second SIGTERM or SIGINT does not wait for the drain. Where an HSM is stuck and nothing
 * serves it drains by itself, to be replaced.
 *
 * Rejects when it cannot start. Resolves after a clean stop, with why it stopped; ends the process itself where a lane still
 * hangs in a module or the audit log's file blocks, with `replacementExitCode` where it is to be replaced.
 */
export async function serve(configurationPath: string, replacementExitCode: number): Promise<StopReason> {
  process.umask(privateUmask);
  const configuration = await loadConfiguration(configurationPath);
  const logger = createLogger(configuration.telemetry.logLevel);
  const addon = loadAddon();
  addon.disableCoreDumps();
  addon.keepFreedMemoryClean();
  cleanFreedMemoryAgain(addon, systemClock);
  // Without a listener Node opens its inspector: whoever may send the signal would read secrets, and run code, in here.
  process.on('SIGUSR1', () => logger.warn('SIGUSR1 is ignored: there is no inspector in a server'));
  const stopRequested = nextSignal('SIGTERM', 'SIGINT');
  // While the server starts there is nothing to read again, and a log rotation must not end it.
  let reload = (): void => undefined;
  const hangUp = (): void => reload();
  process.on('SIGHUP', hangUp);
  const { secrets, findings } = await requirePreconditions(configuration, systemClock.now());
  for (const finding of findings) preconditionEvent(logger, finding);
  const server = await compose(configuration, secrets, logger);
  const supervisor = supervisorOf(addon, logger);
  reload = () => void reloadServer(server, supervisor, logger);
  logger.info({ listening: server.bound, configuration: configuration.path }, 'serving');
  supervisor.ready();
  const replacementAsked = server.replacementAsked.then(() => 'replacement' as const);
  const reason = await Promise.race([stopRequested, replacementAsked]);
  logger.info(reason === 'replacement' ? { reason } : { signal: reason }, 'draining');
  supervisor.stopping();
  const exitCode = reason === 'replacement' ? replacementExitCode : 0;
  // A replacement drains already when the first signal comes: the second one does not wait for it.
  void stopRequested.then(() => {
    process.once('SIGTERM', () => addon.exitNow(1)).once('SIGINT', () => addon.exitNow(1));
  });
  const { lanesHung, auditHung } = await server.stop();
  process.off('SIGHUP', hangUp);
  if (auditHung) logger.error('the audit log blocks: the records that wait for it are lost');
  supervisor.close();
  logger.info('stopped');
  logger.flush();
  // A thread that hangs inside a module would make a normal exit abort (design §6), one in a write makes it wait.
  if (lanesHung || auditHung) addon.exitNow(auditHung ? 1 : exitCode);
  return reason === 'replacement' ? 'replacement' : 'signal';
}

/** Half of the time in which no plaintext may outlive its call. */
const memoryCleaningIntervalMs = 500;

/** Copies of plaintexts that Node's TLS and HTTP/2 have freed are overwritten soon, for as long as the process lives. */
function cleanFreedMemoryAgain(addon: NativeAddon, clock: Clock): void {
  clock.schedule(memoryCleaningIntervalMs, () => {
    addon.cleanFreedMemory();
    cleanFreedMemoryAgain(addon, clock);
  });
}

function nextSignal(...signals: NodeJS.Signals[]): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const received = (signal: NodeJS.Signals): void => {
      for (const other of signals) process.off(other, received);
      resolve(signal);
    };
    for (const signal of signals) process.on(signal, received);
  });
}

/** Does nothing where no service manager has started us. */
function supervisorOf(addon: NativeAddon, logger: Logger): Supervisor {
  return new Supervisor(process.env, {
    clock: systemClock,
    processId: process.pid,
    send: (socketPath, message) => addon.notifyServiceManager(socketPath, message),
    onFailure: (cause) => logger.warn({ err: cause }, 'the service manager cannot be told how the service is'),
  });
}

async function reloadServer(server: HoldfastServer, supervisor: Supervisor, logger: Logger): Promise<void> {
  supervisor.reloading();
  try {
    await server.reload();
    logger.info('reloaded');
  } catch (error) {
    logger.error({ err: error }, 'reload failed; what was loaded before stays in use');
  }
  supervisor.ready();
}
