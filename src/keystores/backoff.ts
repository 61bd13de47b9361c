/** How long to wait between attempts on something that other processes try too. */
export interface Backoff {
  firstDelayMs: number;
  maximumDelayMs: number;
}

/**
 * Doubles with every attempt up to the maximum, then subtracts a random part of up to half. Processes that lost the
 * same HSM thus do not return to it all at once.
 * @param attempt 0 for the first
 * @param random a number from 0 up to 1
 */
export function backoffDelayMs(backoff: Backoff, attempt: number, random: number): number {
  const ceilingMs = Math.min(backoff.maximumDelayMs, backoff.firstDelayMs * 2 ** Math.min(attempt, 30));
  return ceilingMs * (1 - random / 2);
}
