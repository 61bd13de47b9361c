/** How many of the last durations are kept. */
const capacity = 256;
/** One sort serves this many new durations. */
const refreshEvery = 16;
/** Fewer say nothing about a 95th percentile. */
const leastSamples = 32;

/** The last durations of one kind of operation, in a fixed amount of memory. */
export class LatencyWindow {
  readonly #durationsMs = new Float64Array(capacity);
  #count = 0;
  #p95Ms: number | undefined;

  add(durationMs: number): void {
    this.#durationsMs[this.#count % capacity] = durationMs;
    this.#count += 1;
    if (this.#count >= leastSamples && this.#count % refreshEvery === 0) this.#p95Ms = this.#percentile(0.95);
  }

  /** At most 15 durations old; undefined while there are too few. */
  get p95Ms(): number | undefined {
    return this.#p95Ms;
  }

  /** Nearest rank. */
  #percentile(share: number): number | undefined {
    const sorted = this.#durationsMs.slice(0, Math.min(this.#count, capacity)).sort();
    return sorted[Math.ceil(share * sorted.length) - 1];
  }
}
