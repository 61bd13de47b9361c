import type { Clock, ScheduledTask } from '../clock.js';

/**
 * The environment that systemd sets for a service with `Type=notify` and `WatchdogSec` (sd_notify(3),
 * sd_watchdog_enabled(3)).
 */
export interface ServiceEnvironment {
  NOTIFY_SOCKET?: string | undefined;
  /** The time that the process may be silent before it is killed, in microseconds. */
  WATCHDOG_USEC?: string | undefined;
  /** The process that this applies to; left out if it is this process. */
  WATCHDOG_PID?: string | undefined;
}

/** The dependencies of the supervisor. `send` throws if the message cannot be sent. */
export interface SupervisorTools {
  clock: Clock;
  processId: number;
  send(socketPath: string, message: string): void;
  /** Called once if messages cannot be sent: the manager will take the service for hung. */
  onFailure(cause: unknown): void;
}

/**
 * Notifies a service manager that the service is ready, reads its files again, or stops, and that its event loop still
 * turns. A watchdog should know no more than that: no restart would repair an HSM. Without NOTIFY_SOCKET it does
 * nothing.
 */
export class Supervisor {
  readonly #tools: SupervisorTools;
  readonly #socketPath: string | undefined;
  readonly #watchdogMs: number | undefined;
  #next: ScheduledTask | undefined;
  #failed = false;

  constructor(environment: ServiceEnvironment, tools: SupervisorTools) {
    this.#tools = tools;
    this.#socketPath = environment.NOTIFY_SOCKET;
    this.#watchdogMs = watchdogIntervalMs(environment, tools.processId);
  }

  /** The service serves, and the watchdog starts. */
  ready(): void {
    this.#send('READY=1\nSTATUS=serving');
    if (this.#watchdogMs !== undefined && this.#next === undefined) this.#feedWatchdog(this.#watchdogMs);
  }

  /**
   * The service reads its files again, until the next `ready`. systemd requires the time of CLOCK_MONOTONIC with this
   * message.
   */
  reloading(): void {
    const monotonicMicros = process.hrtime.bigint() / 1_000n;
    this.#send(
      `RELOADING=1\nMONOTONIC_USEC=${monotonicMicros}\nSTATUS=reading certificates, lists and the configuration again`,
    );
  }

  /** The service stops. The watchdog continues: a hanging drain is a hang too. */
  stopping(): void {
    this.#send('STOPPING=1\nSTATUS=draining');
  }

  /** Ends the watchdog's timer. */
  close(): void {
    this.#next?.cancel();
  }

  #feedWatchdog(intervalMs: number): void {
    this.#send('WATCHDOG=1');
    this.#next = this.#tools.clock.schedule(intervalMs, () => this.#feedWatchdog(intervalMs));
  }

  #send(message: string): void {
    if (this.#socketPath === undefined) return;
    try {
      this.#tools.send(this.#socketPath, message);
      this.#failed = false;
    } catch (cause) {
      if (!this.#failed) this.#tools.onFailure(cause);
      this.#failed = true;
    }
  }
}

/** A third of the allowed time, so a lost or late message does no harm. Undefined: there is no watchdog. */
function watchdogIntervalMs(
  { WATCHDOG_USEC, WATCHDOG_PID }: ServiceEnvironment,
  processId: number,
): number | undefined {
  const allowedMicros = Number(WATCHDOG_USEC);
  if (!Number.isFinite(allowedMicros) || allowedMicros <= 0) return undefined;
  if (WATCHDOG_PID !== undefined && Number(WATCHDOG_PID) !== processId) return undefined;
  return Math.max(1, Math.floor(allowedMicros / 3_000));
}
