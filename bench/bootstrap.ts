import { median, percentile } from './statistics.js';

/** An estimate over the rounds of a run. */
export interface Estimate {
  median: number;
  /** The percentile bootstrap's interval (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). */
  confidence95: [number, number];
}

const resamples = 2_000;

/**
 * The median of the values of the rounds, with 95 % confidence. As many rounds are drawn from them, with replacement,
 * again and again; the medians of those draws show how far another run's would lie from this one's. A few rounds make
 * the interval too narrow: take ten. Throws for no values.
 */
export function estimate(values: readonly number[], random = Math.random): Estimate {
  const draw = () => values[Math.floor(random() * values.length)] ?? Number.NaN;
  const medians = Array.from({ length: resamples }, () => median(values.map(draw)));
  return { median: median(values), confidence95: [percentile(medians, 0.025), percentile(medians, 0.975)] };
}
