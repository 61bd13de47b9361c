import { writeSync } from 'node:fs';
import { url as inspectorUrl } from 'node:inspector';
import { setFlagsFromString } from 'node:v8';
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
import { type ServerSignals, serverSignals, type StopSignal } from './server-signals.js';
import { preconditionEvent } from './telemetry/caller-events.js';
import { createLogger } from './telemetry/logger.js';
import { UnblockedLog } from './telemetry/unblocked-log.js';

/** Why a server stopped. `finding`: how the rollback of the catalog was noticed, and what to do. */
export type StopReason =
  | { kind: 'signal'; signal: StopSignal }
  | { kind: 'replacement' }
  | { kind: 'rolled-back'; finding: string };

/** How a server is started. */
export interface ServeOptions {
  /** With which code it exits if it cannot return, by the reason of its stop. */
  exitCodesOf: Readonly<Record<StopReason['kind'], number>>;
  /** Go on with a catalog that does not follow the witnesses of its members, once. */
  acceptsRollback: boolean;
}

/** Files that the server creates are for its user only. */
const privateUmask = 0o077;

/** The time that a stop has, besides its two drains, to close the audit log and the catalog and send the last traces. */
const stopGraceMs = 5_000;

/**
 * Objects of a request wait for its HSM, and so outlive small collections; then they are garbage. V8 concludes from the
 * first that such objects live long, and makes later ones where only large collections free them. Called before there
 * are requests to learn from. https://v8.dev/blog/trash-talk explains the collections.
 */
function keepRequestsYoung(): void {
  setFlagsFromString('--no-allocation-site-pretenuring');
}

/**
 * Runs a server until SIGTERM or SIGINT, then drains it: config → compose → serve → drain. SIGHUP reads certificates
 * again, takes up members that were added to the configuration, and reopens the audit log. A second SIGTERM or SIGINT does not wait for the drain. If an HSM is stuck and
 * nothing serves, the server drains without a signal, so that it can be replaced.
 *
 * It also drains without a signal if a member shows that the catalog was rolled back.
 *
 * Rejects if it cannot start. Resolves after a clean stop, with the reason for the stop. It ends the process itself in
 * two cases: a lane still hangs in a module or the audit log's file blocks (with a code of
 * `exitCodesOf`), or a stop takes longer than twice `limits.drainTimeoutMs` and five seconds.
 */
export async function serve(
  configurationPath: string,
  { exitCodesOf, acceptsRollback }: ServeOptions,
): Promise<StopReason> {
  const signals = serverSignals();
  process.umask(privateUmask);
  keepRequestsYoung();
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
  // Again: a SIGUSR1 that was sent before any of our code was loaded has taken effect by now.
  refuseInspector();
  if (acceptsRollback) logger.warn('this start accepts one rollback of the catalog');
  const server = await compose(configuration, secrets, logger, { acceptsRollback });
  const supervisor = supervisorOf(addon, logger);
  actOnSignals(signals, () => void reloadServer(server, supervisor, logger), logger, addon);
  logger.info({ listening: server.bound, configuration: configuration.path }, 'serving');
  supervisor.ready();
  const reason = await stopReason(signals, server);
  if (reason.kind === 'rolled-back') logger.fatal(reason, 'ALERT: the catalog was rolled back');
  logger.info(reason, 'draining');
  supervisor.stopping();
  // A signal has set the bound when it came.
  if (reason.kind !== 'signal') boundStop(configuration, logger, addon);
  const { lanesHung, auditHung } = await server.stop();
  if (auditHung) logger.error('the audit log blocks: the records that wait for it are lost');
  supervisor.close();
  logger.info('stopped');
  logger.flush();
  // A thread that hangs inside a module, or in a write, would block a normal exit (native/README.md).
  if (lanesHung || auditHung) addon.exitNow(auditHung ? 1 : exitCodesOf[reason.kind]);
  return reason;
}

/** Resolves when the server must stop. */
function stopReason(signals: ServerSignals, server: HoldfastServer): Promise<StopReason> {
  return Promise.race([
    signals.stopRequested.then((signal) => ({ kind: 'signal' as const, signal })),
    server.replacementAsked.then(() => ({ kind: 'replacement' as const })),
    server.rolledBack.then((finding) => ({ kind: 'rolled-back' as const, finding })),
  ]);
}

/** The log on stderr. A plain write would wait for as long as no reader reads. */
function standardError(addon: NativeAddon): UnblockedLog {
  const descriptor = { takesWrites: () => addon.takesWrites(2), write: (bytes: Uint8Array) => writeSync(2, bytes) };
  return new UnblockedLog(descriptor, systemClock);
}

/** Half of the longest time for which a freed copy of a plaintext may stay in memory. */
const memoryCleaningIntervalMs = 500;

/**
 * Regularly overwrites copies of plaintexts that Node's TLS and HTTP/2 have freed, until the process ends.
 */
function cleanFreedMemoryAgain(addon: NativeAddon, clock: Clock): void {
  clock.schedule(memoryCleaningIntervalMs, () => {
    addon.cleanFreedMemory();
    cleanFreedMemoryAgain(addon, clock);
  });
}

/**
 * Anyone who reaches Node's inspector reads every secret and runs code in this process, and it does not authenticate.
 */
function refuseInspector(): void {
  const url = inspectorUrl();
  if (url === undefined) return;
  throw new Error(`Node's inspector is open at ${url}: start without --inspect, and without it in NODE_OPTIONS`);
}

/** Ends the process if a stop takes longer than the configuration allows, whatever hangs. */
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

/** Does nothing if no service manager has started the process. */
function supervisorOf(addon: NativeAddon, logger: Logger): Supervisor {
  return new Supervisor(process.env, {
    clock: systemClock,
    processId: process.pid,
    send: (socketPath, message) => addon.notifyServiceManager(socketPath, message),
    onFailure: (cause) => logger.warn({ err: cause }, 'the service manager cannot be notified'),
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
