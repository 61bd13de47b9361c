/** The minimum length of an attempt that should leave time for another. */
const leastTryMs = 50;

/**
 * How long one attempt may take while `candidates` members, including this one, have not failed yet: its share of the
 * remaining time. Hanging members thus leave the last one as much as they had.
 */
export function tryShareMs(leftMs: number, candidates: number): number {
  const shareMs = leftMs / Math.max(1, candidates);
  return shareMs >= leastTryMs ? shareMs : leftMs;
}
