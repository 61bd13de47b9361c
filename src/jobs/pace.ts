import { type Clock, delay } from '../clock.js';

/** Bounds the rate of background work, one piece at a time. */
export class Pace {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  #nextMs = 0;

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#intervalMs = 1_000 / perSecond;
  }

  /** Resolves when the next piece may begin, or at once when `signal` is aborted. Time that was not used is lost. */
  async turn(signal: AbortSignal): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const waitMs = this.#nextMs - nowMs;
    this.#nextMs = Math.max(nowMs, this.#nextMs) + this.#intervalMs;
    if (waitMs > 0) await delay(this.#clock, waitMs, signal);
  }
}
