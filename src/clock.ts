/** The port for time. Domain code never reads a clock of its own: tests of due dates compose the server with another one. */
export interface Clock {
  /** Wall time, for records and due dates. */
  now(): Date;
  /** Milliseconds of CLOCK_MONOTONIC, for deadlines and durations; never goes back. The addon reads the same clock. */
  monotonicMs(): number;
  /** Calls `task` once, `delayMs` from now, unless cancelled. It does not keep the process alive. */
  schedule(delayMs: number, task: () => void): ScheduledTask;
}

export interface ScheduledTask {
  cancel(): void;
}

/** Resolves after `delayMs`, or at once when `signal` is aborted. */
export function delay(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const task = clock.schedule(delayMs, done);
    function done(): void {
      task.cancel();
      signal?.removeEventListener('abort', done);
      resolve();
    }
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** A deadline that has not come. */
export interface Deadline {
  cancel(): void;
}

interface Pending extends Deadline {
  atMs: number;
  onOverdue: () => void;
}

/**
 * Many deadlines on one timer, for what nearly always ends in time: to set and to cancel one costs an entry in a set,
 * where a timer of its own, an abort signal and a race of promises cost more than all that the request does otherwise.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #pending = new Set<Pending>();
  #timer: ScheduledTask | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Calls `onOverdue` once, when it is `atMs` (absolute, in `Clock.monotonicMs`) or at once after that, unless it is
   * cancelled before. Never calls it before it returns.
   */
  add(atMs: number, onOverdue: () => void): Deadline {
    const pending: Pending = { atMs, onOverdue, cancel: () => this.#pending.delete(pending) };
    this.#pending.add(pending);
    if (atMs < this.#timerAtMs) this.#setTimer(atMs);
    return pending;
  }

  /** A timer outlives the deadlines that are cancelled: it comes once in the length of a deadline and finds nothing to do. */
  #setTimer(atMs: number): void {
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    this.#timer = this.#clock.schedule(Math.max(0, atMs - this.#clock.monotonicMs()), () => this.#sweep());
  }

  #sweep(): void {
    this.#timer = undefined;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#clock.monotonicMs();
    const overdue = [...this.#pending].filter(({ atMs }) => atMs <= nowMs);
    for (const pending of overdue) {
      // One that is overdue may have cancelled another.
      if (this.#pending.delete(pending)) pending.onOverdue();
    }
    let nextMs = this.#timerAtMs;
    for (const { atMs } of this.#pending) nextMs = Math.min(nextMs, atMs);
    if (nextMs < this.#timerAtMs) this.#setTimer(nextMs);
  }
}
