import type { Measurement, Scenario } from './measurement.js';
import { measuredMethods } from './methods.js';
import { shuffledBlocks } from './random-order.js';
import { comparedLevel } from './scenarios.js';

export interface RoundsPlan {
  rounds: number;
  /** Length of one measurement. */
  seconds: number;
  /** Called after each measurement; throws if a request was refused. */
  check: () => void;
  progress: (line: string) => void;
}

/**
 * The servers of one variant idle for most of a round. V8 then gives memory back and forgets code, which costs the next
 * requests: without these first ones, a server with 100 keys seemed to need a third more CPU than one with one key.
 */
const requestsAfterIdling = 5_000;

/**
 * Measures round by round, in random order: a temporary disturbance of the machine affects every scenario, and none
 * always comes after the same other one. The members of a block stay neighbours.
 */
export async function measureRounds(
  blocks: readonly (readonly Scenario[])[],
  { rounds, seconds, check, progress }: RoundsPlan,
): Promise<Map<Scenario, Measurement[]>> {
  const measurements = new Map(blocks.flat().map((scenario) => [scenario, [] as Measurement[]]));
  for (let round = 1; round <= rounds; round += 1) {
    for (const scenario of shuffledBlocks(blocks)) {
      if (scenario.ofVariant === true) await scenario.send?.(requestsAfterIdling);
      const measurement = await scenario.measure(seconds);
      check();
      measurements.get(scenario)?.push(measurement);
      const figures = `${Math.round(measurement.rps)}/s, ${measurement.cpuMicrosPerRequest.toFixed(1)} µs CPU`;
      progress(`round ${round}/${rounds}  ${scenario.name}: ${figures}`);
    }
  }
  return measurements;
}

/**
 * V8 compiles the servers as they run; a server that has just started is not like one in production. So every server
 * first gets the same number of requests, however slow the machine: a share for each method, or all for Encrypt alone.
 */
export async function warmUp(blocks: readonly (readonly Scenario[])[], requests: number): Promise<void> {
  for (const { inFlight, send, ofVariant } of blocks.flat()) {
    if (inFlight !== comparedLevel) continue;
    await send?.(ofVariant === true ? requests * measuredMethods.length : requests);
  }
}
