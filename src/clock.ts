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
