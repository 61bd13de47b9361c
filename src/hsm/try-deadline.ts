/** A try that is to leave time for another has at least this long itself. */
const leastTryMs = 50;

/**
 * How long one try may take where `candidates` members, this one included, have not failed yet: its share of what is
 * left, so that those that hang leave the last one as much as they had.
 */
export function tryShareMs(leftMs: number, candidates: number): number {
  const shareMs = leftMs / Math.max(1, candidates);
  return shareMs >= leastTryMs ? shareMs : leftMs;
}
