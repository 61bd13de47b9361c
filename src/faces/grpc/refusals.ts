import type { DropArgument, Server } from 'node:net';
import type { Clock } from '../../clock.js';

/** A connection that was refused before any request: no certificate, a wrong authority, an old TLS version, … */
export interface ConnectionRefusal {
  /** IP address of the peer, or `unknown`. */
  sourceAddress: string;
  /** Code or message of the TLS error. */
  reason: string;
  /** How many more were refused since the last report, and not reported. */
  unreported: number;
}

/** At most one report in this time: anybody who reaches the port can cause refusals. */
const reportIntervalMs = 10_000;

/** Reports refusals without flooding the log: the first at once, then one for each interval with the count of the rest. */
export class RefusalReporter {
  readonly #clock: Clock;
  readonly #report: (refusal: ConnectionRefusal) => void;
  #nextReportMs = Number.NEGATIVE_INFINITY;
  #unreported = 0;

  constructor(clock: Clock, report: (refusal: ConnectionRefusal) => void) {
    this.#clock = clock;
    this.#report = report;
  }

  refused(sourceAddress: string, reason: string): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#nextReportMs) {
      this.#unreported += 1;
      return;
    }
    this.#report({ sourceAddress, reason, unreported: this.#unreported });
    this.#unreported = 0;
    this.#nextReportMs = nowMs + reportIntervalMs;
  }
}

/** Reports the connections that a server drops because it has its most (`maxConnections`). */
export function reportDrops(server: Server, refusals: RefusalReporter): void {
  server.on('drop', (dropped?: DropArgument) => {
    refusals.refused(dropped?.remoteAddress ?? 'unix', 'too many connections to this listener');
  });
}
