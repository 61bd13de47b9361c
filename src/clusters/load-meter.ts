/** The counters of one member's lanes at one moment, as the addon keeps them. They only rise. */
export interface LoadSample {
  /** Monotonic, in milliseconds. */
  atMs: number;
  /** Operations that the lanes have ended with success. */
  operations: number;
  /** How long the lanes have been at work, all together, in milliseconds. */
  busyMs: number;
  /** How many lanes there may be. */
  lanes: number;
}

/** One member's load. */
export interface MemberLoad {
  /** The mean of the last minute. */
  operationsPerSecond: number;
  /** Busy lane time ÷ lane time in the last minute, 0 to 1. */
  utilisation: number;
  /** The operations per second at which its lanes would be busy all the time; undefined: there was too little load. */
  ceiling: number | undefined;
}

/** Samples from so long ago count as "now", in milliseconds. */
const nowMs = 60_000;
/** In a window with less load an estimate would be a guess: calls are faster on an idle HSM. */
const minimumUtilisation = 0.5;
/** A few slow calls are no load. */
const minimumOperations = 100;
/** A window with so much less utilisation than the best one does not replace it. */
const toleratedUtilisation = 0.1;
/** Then any window with enough load replaces the best one: an HSM may have changed. */
const estimateMaxAgeMs = 3_600_000;

/** Two samples, one after the other. */
interface Window {
  operationsPerSecond: number;
  utilisation: number;
  operations: number;
}

/**
 * Measures one member. Its ceiling is rate ÷ utilisation, in the window with the highest utilisation of about the last
 * hour, and never below the highest rate seen.
 */
export class LoadMeter {
  #samples: LoadSample[] = [];
  #highestRate = 0;
  #best: { estimate: number; utilisation: number; atMs: number } | undefined;

  /** Takes a sample. A member whose counters have begun anew is measured anew, and keeps its ceiling. */
  take(sample: LoadSample): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && (sample.operations < last.operations || sample.busyMs < last.busyMs)) this.#samples = [];
    else if (last !== undefined && sample.atMs > last.atMs) this.#judge(windowOf(last, sample), sample.atMs);
    this.#samples.push(sample);
    // One that is older stays, as the beginning of the minute.
    while (sample.atMs - (this.#samples[1]?.atMs ?? sample.atMs) >= nowMs) this.#samples.shift();
  }

  /** The member is not open: it has no load now. */
  pause(): void {
    this.#samples = [];
  }

  get load(): MemberLoad {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    const isMeasured = first !== undefined && last !== undefined && last.atMs > first.atMs;
    const { operationsPerSecond, utilisation } = isMeasured ? windowOf(first, last) : { ...idle };
    const ceiling = this.#best && Math.max(this.#best.estimate, this.#highestRate);
    return { operationsPerSecond, utilisation, ceiling };
  }

  #judge({ operationsPerSecond, utilisation, operations }: Window, atMs: number): void {
    this.#highestRate = Math.max(this.#highestRate, operationsPerSecond);
    if (utilisation < minimumUtilisation || operations < minimumOperations) return;
    const best = this.#best;
    const isOld = best === undefined || atMs - best.atMs > estimateMaxAgeMs;
    if (!isOld && utilisation < best.utilisation - toleratedUtilisation) return;
    this.#best = { estimate: operationsPerSecond / utilisation, utilisation, atMs };
  }
}

const idle = { operationsPerSecond: 0, utilisation: 0 } as const;

function windowOf(first: LoadSample, last: LoadSample): Window {
  const elapsedMs = last.atMs - first.atMs;
  const operations = last.operations - first.operations;
  // A long call counts when it ends, so a window may have more busy time than it is long.
  const share = (last.busyMs - first.busyMs) / (elapsedMs * Math.max(1, last.lanes));
  return { operations, operationsPerSecond: (1_000 * operations) / elapsedMs, utilisation: Math.min(1, share) };
}
