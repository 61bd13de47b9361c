import type { Configuration } from '../config/configuration.js';
import type { SecretReadings } from '../config/secrets.js';
import type { Finding } from './finding.js';

/** The inputs of preconditions. */
export interface Surroundings {
  configuration: Configuration;
  /** Every secret, read once: a command that prints one is not run twice. */
  secrets: SecretReadings;
  now: Date;
  /**
   * `service`: this process is about to serve. `operator`: `doctor`, perhaps beside a running service, which uses the
   * ports and has another environment.
   */
  asks: 'service' | 'operator';
}

/** A condition that the service needs to start or work. Checking it changes nothing, and never logs in to a token. */
export interface Precondition {
  /** Stable; `doctor --output json` and the log have it as `check`. */
  name: string;
  /** A finding, good or bad, for each thing examined. Expected failures are findings, not errors. */
  check: (surroundings: Surroundings) => Promise<Finding[]>;
}

/** A finding and the name of the precondition that made it. */
export interface NamedFinding extends Finding {
  check: string;
}

/** Checks one after the other, which keeps the findings in order. */
export async function checkAll(
  preconditions: readonly Precondition[],
  surroundings: Surroundings,
): Promise<NamedFinding[]> {
  const found: NamedFinding[] = [];
  for (const { name, check } of preconditions) {
    for (const finding of await check(surroundings)) found.push({ check: name, ...finding });
  }
  return found;
}
