import type { Concern } from './concerns.js';
import type { KeyStoreStatus } from './service-status.js';

const dayMs = 86_400_000;

/** What is wrong with a PIN although tokens accept it: it is older than the configuration allows, or was not rotated. */
export function pinAgeConcerns(subject: string, { pinAge }: KeyStoreStatus, now: Date): Concern[] {
  if (pinAge === undefined) return [];
  const { sinceDate, maximumAgeMs, rotationFailed } = pinAge;
  const ageMs = now.getTime() - sinceDate.getTime();
  const warning = (message: string): Concern => ({ severity: 'WARNING', subject, message });
  return [
    ...(maximumAgeMs !== null && ageMs > maximumAgeMs
      ? [warning(`Its PIN is ${Math.floor(ageMs / dayMs)} days old, and may be ${maximumAgeMs / dayMs}: rotate it.`)]
      : []),
    ...(rotationFailed
      ? [warning('The scheduled rotation of its PIN did not succeed: holdfast key-store rotate-pin --dry-run.')]
      : []),
  ];
}
