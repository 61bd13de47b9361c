/**
 * When requests are due, in milliseconds from the beginning, ascending: a Poisson process, as many callers that do not
 * know of each other make it. Requests come in bursts by chance, as they do in production.
 */
export function arrivals(ratePerSecond: number, seconds: number, random = Math.random): Float64Array {
  const times: number[] = [];
  const meanGapMs = 1000 / ratePerSecond;
  // 1 - random: the logarithm of 0 has no value.
  const gapMs = () => -Math.log(1 - random()) * meanGapMs;
  for (let atMs = gapMs(); atMs < seconds * 1000; atMs += gapMs()) times.push(atMs);
  return Float64Array.from(times);
}
