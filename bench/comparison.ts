import { median, percentile } from './statistics.js';

/** How much more one thing costs than another, by the ratios of many short alternating measurements. */
export interface Comparison {
  /** Median of the ratios, less 1: 0.02 is 2 % more. */
  overhead: number;
  /** Half of the ratios, less 1, lie between these. */
  quartiles: [number, number];
  /**
   * The true median lies between these with 95 % confidence, less 1: a difference smaller than the interval is not
   * shown.
   */
  confidence95: [number, number];
  /** The number of ratios. */
  pairs: number;
}

/** Throws if there are no ratios. */
export function comparisonOf(ratios: readonly number[]): Comparison {
  const sorted = ratios.toSorted((left, right) => left - right);
  const lower = lowerRank(sorted.length);
  const overheadAt = (index: number) => overhead(sorted[index] ?? Number.NaN);
  return {
    overhead: overhead(median(sorted)),
    quartiles: [overhead(percentile(sorted, 0.25)), overhead(percentile(sorted, 0.75))],
    confidence95: [overheadAt(lower), overheadAt(sorted.length - 1 - lower)],
    pairs: sorted.length,
  };
}

/**
 * The index from which, and up to its mirror image, the sorted values contain the median with 95 % confidence, whatever
 * their distribution: the number of values below it is distributed like the heads of as many coins. The whole range if
 * there are fewer than six.
 */
export function lowerRank(count: number): number {
  let probability = 0.5 ** count;
  let below = probability;
  let rank = 0;
  while (below <= 0.025) {
    rank += 1;
    probability *= (count - rank + 1) / rank;
    below += probability;
  }
  return Math.max(0, rank - 1);
}

function overhead(ratio: number): number {
  return Number((ratio - 1).toFixed(4));
}
