import type { Clock, ScheduledTask } from '../clock.js';

/** The time between checks: the catalog may refuse changes for about this long before it is reported. */
const lookEveryMs = 5_000;

/** Called for changes only. */
export interface CatalogWatchEvents {
  unwritable(cause: unknown): void;
  /** @param afterMs how long it could not be written */
  writableAgain(afterMs: number): void;
}

/**
 * Checks whether the catalog accepts changes. Callers that only encrypt would not notice for hours that its disk is
 * read-only, or that its file is missing or held by another program.
 */
export class CatalogWatch {
  readonly #clock: Clock;
  readonly #verifyWritable: () => Promise<void>;
  readonly #events: CatalogWatchEvents;
  #unwritableSinceMs: number | undefined;
  #next: ScheduledTask | undefined;
  #stopped = false;

  constructor(clock: Clock, verifyWritable: () => Promise<void>, events: CatalogWatchEvents) {
    this.#clock = clock;
    this.#verifyWritable = verifyWritable;
    this.#events = events;
    this.#schedule();
  }

  /** Whether the catalog accepted changes at the last check. */
  get writable(): boolean {
    return this.#unwritableSinceMs === undefined;
  }

  stop(): void {
    this.#stopped = true;
    this.#next?.cancel();
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#next = this.#clock.schedule(lookEveryMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    try {
      await this.#verifyWritable();
      this.#tellWritable();
    } catch (cause) {
      this.#tellUnwritable(cause);
    }
    this.#schedule();
  }

  #tellWritable(): void {
    if (this.#unwritableSinceMs === undefined) return;
    const afterMs = this.#clock.monotonicMs() - this.#unwritableSinceMs;
    this.#unwritableSinceMs = undefined;
    this.#events.writableAgain(afterMs);
  }

  #tellUnwritable(cause: unknown): void {
    // A stopping server closes the catalog during a check.
    if (this.#stopped || this.#unwritableSinceMs !== undefined) return;
    this.#unwritableSinceMs = this.#clock.monotonicMs();
    this.#events.unwritable(cause);
  }
}
