import type { Configuration } from '../config/configuration.js';
import type { SecretReadings } from '../config/secrets.js';
import type { Finding } from './finding.js';

/** What preconditions are checked against. */
export interface Surroundings {
  configuration: Configuration;
  /** Every secret, read once: a command that prints one is not run twice. */
  secrets: SecretReadings;
  now: Date;
  /**
   * `service`: this process is about to serve. `operator`: `doctor`, perhaps beside a running service, whose ports are
   * in use and whose environment is another one.
   */
  asks: 'service' | 'operator';
}

/** Something without which the service cannot start or work. It changes nothing, and never logs in to a token. */
export interface Precondition {
  /** Stable; `doctor --output json` and the log have it as `check`. */
  name: string;
  /** What is wrong and what is well, for each thing that it looks at. Expected failures are findings and no errors. */
  check: (surroundings: Surroundings) => Promise<Finding[]>;
}

/** A finding and the name of the precondition that made it. */
export interface NamedFinding extends Finding {
  check: string;
}

/** Checks each in its order, so that the findings stand in one. */
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
