import type { Clock } from '../clock.js';
import { HoldfastError } from '../errors.js';

/**
 * Bounds the cryptographic operations of a key store per second: a token bucket that holds one second's worth. AWS KMS
 * has a similar quota ("Request quotas", AWS CloudHSM key stores: 1,800 a second), and the error name for exceeding it.
 */
export class OperationQuota {
  readonly #operationsPerSecond: number;
  readonly #clock: Clock;
  #left: number;
  #filledMs: number;

  /** @param operationsPerSecond at least 1 */
  constructor(operationsPerSecond: number, clock: Clock) {
    this.#operationsPerSecond = operationsPerSecond;
    this.#clock = clock;
    this.#left = operationsPerSecond;
    this.#filledMs = clock.monotonicMs();
  }

  /** @throws THROTTLING when this second's operations are used up, with the time after which one more may pass. */
  spend(): void {
    const nowMs = this.#clock.monotonicMs();
    const refilled = this.#left + ((nowMs - this.#filledMs) * this.#operationsPerSecond) / 1_000;
    this.#left = Math.min(this.#operationsPerSecond, refilled);
    this.#filledMs = nowMs;
    if (this.#left < 1) throw this.#exceeded();
    this.#left -= 1;
  }

  #exceeded(): HoldfastError {
    const retryAfterMs = Math.ceil(((1 - this.#left) * 1_000) / this.#operationsPerSecond);
    return new HoldfastError(
      'THROTTLING',
      'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.',
      { retryAfterMs },
    );
  }
}
