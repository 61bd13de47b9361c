import type { Clock, ScheduledTask } from '../clock.js';
import { AppendedLine, type AuditLine } from './audit-line.js';

/** How late an appender may stop waiting. One check thus serves many lines: a blocked log has tens of thousands. */
const stepMs = 10;

/**
 * Lets appenders stop waiting for lines that are not written in time. There is one timer for all of them. It outlives
 * the lines it was set for, and then finds nothing to do: so a line that is written in time costs a comparison.
 */
export class OverdueAppends {
  readonly #clock: Clock;
  readonly #unsettled: () => readonly (readonly AuditLine[])[];
  #timer: ScheduledTask | undefined;
  #atMs = Number.POSITIVE_INFINITY;

  /** @param unsettled all lines that an appender may wait for */
  constructor(clock: Clock, unsettled: () => readonly (readonly AuditLine[])[]) {
    this.#clock = clock;
    this.#unsettled = unsettled;
  }

  /** Called for each appended line. @param untilMs absolute, in `Clock.monotonicMs` */
  add(untilMs: number): void {
    if (untilMs >= this.#atMs) return;
    this.#timer?.cancel();
    this.#atMs = untilMs;
    this.#timer = this.#clock.schedule(Math.max(0, untilMs - this.#clock.monotonicMs()), this.#stopWaits);
  }

  cancel(): void {
    this.#timer?.cancel();
  }

  readonly #stopWaits = (): void => {
    this.#atMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#clock.monotonicMs();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const lines of this.#unsettled()) {
      for (const line of lines) {
        if (line instanceof AppendedLine) nextMs = Math.min(nextMs, line.stopWaitingIfOverdue(nowMs));
      }
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.add(Math.max(nextMs, nowMs + stepMs));
  };
}
