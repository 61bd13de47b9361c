import { writeSync } from 'node:fs';
import { url as inspectorUrl } from 'node:inspector';
import type { Logger } from 'pino';
import type { Clock } from './clock.js';
import { systemClock } from './clock-system.js';
import { compose } from './compose.js';
import type { HoldfastServer } from './composition/running-server.js';
import { Supervisor } from './composition/supervisor.js';
import type { Configuration } from './config/configuration.js';
import { loadConfiguration } from './config/load.js';
import { loadAddon, type NativeAddon } from './hsm/native.js';
import { requirePreconditions } from './preconditions/start.js';
import { type ServerSignals, serverSignals } from './server-signals.js';
import { preconditionEvent } from './telemetry/caller-events.js';
import { createLogger } from './telemetry/logger.js';
import { UnblockedLog } from './telemetry/unblocked-log.js';

/** Why a server stopped. */
export type StopReason = 'signal' | 'replacement';

/** Files that the server makes are for its user alone. */
const privateUmask = 0o077;

/** What a stop may take beside its two drains: the audit log, the catalog, the last traces. */
const stopGraceMs = 5_000;

/**
 * Runs a server until SIGTERM or SIGINT, then drains it: config → compose → serve → drain. SIGHUP reads certificates
 * again and reopens the audit log. A second SIGTERM or SIGINT does not wait for the drain. Where an HSM is stuck and nothing
 * serves it drains by itself, to be replaced.
 *
 * Rejects when it cannot start. Resolves after a clean stop, with why it stopped; ends the process itself where a lane still
 * hangs in a module or the audit log's file blocks, with `replacementExitCode` where it is to be replaced, and where a stop
 * takes longer than twice `limits.drainTimeoutMs` and five seconds.
 */
export async function serve(configurationPath: string, replacementExitCode: number): Promise<StopReason> {
  const signals = serverSignals();
  process.umask(privateUmask);
  refuseInspector();
  const configuration = await loadConfiguration(configurationPath);
  const addon = loadAddon();
  const logger = createLogger(configuration.telemetry.logLevel, standardError(addon));
  addon.disableCoreDumps();
  addon.keepFreedMemoryClean();
  cleanFreedMemoryAgain(addon, systemClock);
  void signals.stopRequested.then(() => boundStop(configuration, logger, addon));
  const { secrets, findings } = await requirePreconditions(configuration, systemClock.now());
  for (const finding of findings) preconditionEvent(logger, finding);
  // Again: whoever sent SIGUSR1 before anything of ours was loaded has it by now.
  refuseInspector();
  const server = await compose(configuration, secrets, logger);
  const supervisor = supervisorOf(addon, logger);
  actOnSignals(signals, () => void reloadServer(server, supervisor, logger), logger, addon);
  logger.info({ listening: server.bound, configuration: configuration.path }, 'serving');
  supervisor.ready();
  const replacementAsked = server.replacementAsked.then(() => 'replacement' as const);
  const reason = await Promise.race([signals.stopRequested, replacementAsked]);
  logger.info(reason === 'replacement' ? { reason } : { signal: reason }, 'draining');
  supervisor.stopping();
  if (reason === 'replacement') boundStop(configuration, logger, addon);
  const exitCode = reason === 'replacement' ? replacementExitCode : 0;
  const { lanesHung, auditHung } = await server.stop();
  if (auditHung) logger.error('the audit log blocks: the records that wait for it are lost');
  supervisor.close();
  logger.info('stopped');
  logger.flush();
  // A thread that hangs inside a module would keep a normal exit waiting (native/README.md), and so would one in a write.
  if (lanesHung || auditHung) addon.exitNow(auditHung ? 1 : exitCode);
  return reason === 'replacement' ? 'replacement' : 'signal';
}

/** The log's place. Node would wait there for as long as nobody reads. */
function standardError(addon: NativeAddon): UnblockedLog {
  const descriptor = { takesWrites: () => addon.takesWrites(2), write: (bytes: Uint8Array) => writeSync(2, bytes) };
  return new UnblockedLog(descriptor, systemClock);
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

/** Whoever reaches Node's inspector reads every secret and runs code in here, and it asks nobody who he is. */
function refuseInspector(): void {
  const url = inspectorUrl();
  if (url === undefined) return;
  throw new Error(`Node's inspector is open at ${url}: start without --inspect, and without it in NODE_OPTIONS`);
}

/** Whatever hangs: nobody waits for the end of a server longer than its configuration says. */
function boundStop({ limits }: Configuration, logger: Logger, addon: NativeAddon): void {
  systemClock.schedule(2 * limits.drainTimeoutMs + stopGraceMs, () => {
    logger.error('the stop took longer than its bound; ending at once');
    logger.flush();
    addon.exitNow(1);
  });
}

function actOnSignals(signals: ServerSignals, reload: () => void, logger: Logger, addon: NativeAddon): void {
  let stopping = false;
  void signals.stopRequested.then(() => (stopping = true));
  signals.act({
    reload() {
      if (!stopping) reload();
    },
    stopAtOnce() {
      logger.warn('a second signal: ending at once');
      logger.flush();
      addon.exitNow(1);
    },
    ignored(signal) {
      logger.warn(`${signal} is ignored${signal === 'SIGUSR1' ? ': there is no inspector in a server' : ''}`);
    },
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
