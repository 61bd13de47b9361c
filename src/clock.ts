/**
 * The port for time. Domain code never reads any other clock: tests of due dates give the server a clock
 * that they set.
 */
export interface Clock {
  /** Wall time, for records and due dates. */
  now(): Date;
  /** Milliseconds of CLOCK_MONOTONIC, for deadlines and durations; never goes back. The addon reads the same clock. */
  monotonicMs(): number;
  /** The time that the machine has run, including suspensions. Steps of the wall clock do not affect it. */
  boot(): BootTime;
  /** Calls `task` once, `delayMs` from now, unless cancelled. It does not keep the process alive. */
  schedule(delayMs: number, task: () => void): ScheduledTask;
}

/** A moment, counted from the start of the machine. Two moments of one boot can be compared, even between processes. */
export interface BootTime {
  /** Different after each start of the machine; empty if unavailable. */
  bootId: string;
  /** Milliseconds of CLOCK_BOOTTIME. */
  sinceBootMs: number;
}

/** A task that `Clock.schedule` will call. Cancelling it twice, or after it was called, is harmless. */
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

/** A deadline that has not passed. */
export interface Deadline {
  cancel(): void;
}

class Pending implements Deadline {
  readonly atMs: number;
  /** Ascending: of deadlines at the same time, the one set first fires first. */
  readonly number: number;
  readonly #all: Pending[];
  #index: number;
  #onOverdue: (() => void) | undefined;

  /** @param all the list that this deadline is added to */
  constructor(all: Pending[], number: number, atMs: number, onOverdue: () => void) {
    this.atMs = atMs;
    this.number = number;
    this.#all = all;
    this.#index = all.length;
    this.#onOverdue = onOverdue;
    all.push(this);
  }

  cancel(): void {
    this.take();
  }

  /** Moves the last deadline to this place, and forgets the callback. @returns the callback, on the first call only. */
  take(): (() => void) | undefined {
    const onOverdue = this.#onOverdue;
    if (onOverdue === undefined) return undefined;
    this.#onOverdue = undefined;
    const last = this.#all.pop();
    if (last !== undefined && last !== this) {
      this.#all[this.#index] = last;
      last.#index = this.#index;
    }
    return onOverdue;
  }
}

/**
 * Many deadlines on one timer, for work that nearly always ends in time. Setting and cancelling one costs an entry in a
 * list. A timer of its own, an abort signal and a race of promises cost more than the rest of the request.
 *
 * The list is an array, and a cancelled deadline forgets its callback, because of V8's garbage collector. A Set
 * allocates a new table every so many entries; an old table that has survived two small collections keeps its content
 * alive until the next large one. In that way 1.5 KB of every request stayed in memory.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #pending: Pending[] = [];
  #added = 0;
  #timer: ScheduledTask | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Calls `onOverdue` once, at `atMs` (absolute, in `Clock.monotonicMs`) or at once after that, unless it is cancelled
   * before. Never calls it before `add` returns.
   */
  add(atMs: number, onOverdue: () => void): Deadline {
    this.#added += 1;
    const pending = new Pending(this.#pending, this.#added, atMs, onOverdue);
    if (atMs < this.#timerAtMs) this.#setTimer(atMs);
    return pending;
  }

  /** A timer keeps running when deadlines are cancelled: once per length of a deadline, it fires with nothing to do. */
  #setTimer(atMs: number): void {
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    this.#timer = this.#clock.schedule(Math.max(0, atMs - this.#clock.monotonicMs()), () => this.#sweep());
  }

  #sweep(): void {
    this.#timer = undefined;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#clock.monotonicMs();
    const overdue = this.#pending
      .filter(({ atMs }) => atMs <= nowMs)
      .sort((left, right) => left.atMs - right.atMs || left.number - right.number);
    // An overdue deadline may have cancelled another.
    for (const pending of overdue) pending.take()?.();
    let nextMs = this.#timerAtMs;
    for (const { atMs } of this.#pending) nextMs = Math.min(nextMs, atMs);
    if (nextMs < this.#timerAtMs) this.#setTimer(nextMs);
  }
}
