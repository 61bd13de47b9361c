import type { Clock, ScheduledTask } from '../clock.js';
import type { BackgroundErrorListener } from '../keys/core.js';

/** The work of a periodic job, its interval, and the listener of failures. */
export interface PeriodicJobOptions {
  clock: Clock;
  /** Pause between the end of a round and the beginning of the next. */
  intervalMs: number;
  /** The work of a round, for the log. */
  name: string;
  /** Stops early, between two items of work, when the signal is aborted. */
  round: (signal: AbortSignal) => Promise<void>;
  onBackgroundError: BackgroundErrorListener;
}

/** Periodic work in the background: never two rounds at once, and stopped between two of them. */
export class PeriodicJob {
  readonly #options: PeriodicJobOptions;
  readonly #stopping = new AbortController();
  #next: ScheduledTask | undefined;
  #running: Promise<void> | undefined;

  constructor(options: PeriodicJobOptions) {
    this.#options = options;
  }

  /** Aborted when the job is stopped. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Begins the first round at once. */
  start(): void {
    void this.runNow();
  }

  /** Runs a round now or, if one is running, waits for that one. Never rejects: failures go to the listener. */
  runNow(): Promise<void> {
    if (this.#stopping.signal.aborted) return Promise.resolve();
    this.#running ??= this.#run();
    return this.#running;
  }

  /** Begins no further round; resolves when the running one has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#next?.cancel();
    await this.#running;
  }

  async #run(): Promise<void> {
    this.#next?.cancel();
    try {
      await this.#options.round(this.#stopping.signal);
    } catch (error) {
      this.#options.onBackgroundError(error, this.#options.name);
    }
    this.#running = undefined;
    if (this.#stopping.signal.aborted) return;
    this.#next = this.#options.clock.schedule(this.#options.intervalMs, () => this.start());
  }
}
