import { existsSync } from 'node:fs';
import { configuredCatalogProblem } from '../../composition/configured-catalog.js';
import type { Configuration } from '../../config/configuration.js';
import { type Finding, ok, warn } from '../../preconditions/finding.js';
import { readPinAges } from '../../storage/recorded-pin-ages.js';

const dayMs = 86_400_000;

/** How old the PINs of key stores are; nothing if the configuration sets no maximum. */
export async function checkPinAges(configuration: Configuration, now: Date): Promise<Finding[]> {
  const { maximumAgeDays } = configuration.keyStorePins;
  const { path } = configuration.catalog;
  if (maximumAgeDays === null) return [];
  // Another check reports what is wrong with the catalog.
  if (!existsSync(path) || (await configuredCatalogProblem(configuration)) !== undefined) return [];
  return readPinAges(path).flatMap(({ keyStore, sinceDate, attemptDate }) => {
    const subject = `PIN of key store ${keyStore}`;
    const days = Math.max(0, Math.floor((now.getTime() - sinceDate.getTime()) / dayMs));
    const words = `is ${days} days old, and may be ${maximumAgeDays}`;
    const remedy = 'rotate it: docs/operating/pins.md';
    const age = days > maximumAgeDays ? warn(subject, words, remedy) : ok(subject, words);
    if (attemptDate === null) return [age];
    return [age, warn(subject, `was not rotated on ${attemptDate.toISOString()}; the log says why`, remedy)];
  });
}
