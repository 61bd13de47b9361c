/** The minimum length of an attempt. With less than this for each member, one attempt gets all the remaining time. */
const leastTryMs = 50;

/**
 * How long one attempt may take while `candidates` members, including this one, have not failed yet: an equal
 * share of the remaining time. So even if all the others hang, the last member gets as much time as each of them.
 */
export function tryShareMs(leftMs: number, candidates: number): number {
  const shareMs = leftMs / Math.max(1, candidates);
  return shareMs >= leastTryMs ? shareMs : leftMs;
}
