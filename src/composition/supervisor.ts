import type { Clock, ScheduledTask } from '../clock.js';

/** What systemd puts into the environment of a service with `Type=notify` and `WatchdogSec` (sd_notify(3), sd_watchdog_enabled(3)). */
export interface ServiceEnvironment {
  NOTIFY_SOCKET?: string | undefined;
  /** How long the process may be silent before it is killed, in microseconds. */
  WATCHDOG_USEC?: string | undefined;
  /** For which process that holds; left out: for this one. */
  WATCHDOG_PID?: string | undefined;
}

/** What it works with. `send` throws when the message cannot be sent. */
export interface SupervisorTools {
  clock: Clock;
  processId: number;
  send(socketPath: string, message: string): void;
  /** Told once that it cannot be sent: the manager will think that the service hangs. */
  onFailure(cause: unknown): void;
}

/**
 * What a service manager is told: that the service is ready, that it reads its files again, that it stops, and that its
 * event loop still turns. The last one is all that a watchdog should know: what an HSM does, no restart would mend.
 * Where nobody listens, without NOTIFY_SOCKET, it does nothing.
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

  /** The service serves, and the watchdog begins. */
  ready(): void {
    this.#send('READY=1\nSTATUS=serving');
    if (this.#watchdogMs !== undefined && this.#next === undefined) this.#feedWatchdog(this.#watchdogMs);
  }

  /** Until `ready` is called again. systemd wants the time of CLOCK_MONOTONIC with it. */
  reloading(): void {
    const monotonicMicros = process.hrtime.bigint() / 1_000n;
    this.#send(`RELOADING=1\nMONOTONIC_USEC=${monotonicMicros}\nSTATUS=reading certificates and lists again`);
  }

  /** The watchdog goes on: a drain that hangs is a hang too. */
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

/** A third of what is allowed, so that one that is lost, or late, does no harm. Undefined: nobody watches. */
function watchdogIntervalMs(
  { WATCHDOG_USEC, WATCHDOG_PID }: ServiceEnvironment,
  processId: number,
): number | undefined {
  const allowedMicros = Number(WATCHDOG_USEC);
  if (!Number.isFinite(allowedMicros) || allowedMicros <= 0) return undefined;
  if (WATCHDOG_PID !== undefined && Number(WATCHDOG_PID) !== processId) return undefined;
  return Math.max(1, Math.floor(allowedMicros / 3_000));
}
