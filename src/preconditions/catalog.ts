import { existsSync } from 'node:fs';
import { configuredCatalogProblem } from '../composition/configured-catalog.js';
import { catalogWriteProblem } from '../storage/catalog-condition.js';
import { fail, type Finding, ok, refuse } from './finding.js';
import type { Surroundings } from './precondition.js';

/** How long to wait for a locked catalog: as long as `serve` does. */
const busyTimeoutMs = 5_000;

/** The catalog: `serve` can open it, and it accepts changes. The check creates and migrates nothing. */
export async function checkCatalog({ configuration }: Surroundings): Promise<Finding[]> {
  const { path } = configuration.catalog;
  const subject = `catalog ${path}`;
  const problem = await configuredCatalogProblem(configuration);
  if (problem !== undefined) return [refuse(subject, problem.message, problem.remedy)];
  if (!existsSync(path)) return [ok(subject, 'the first start creates it (catalog.create)')];
  const unwritable = catalogWriteProblem(path, busyTimeoutMs);
  if (unwritable !== undefined)
    return [fail(subject, unwritable, 'until it takes changes, no key is made and no key store connects')];
  return [ok(subject, 'opens, takes changes, and its structure is sound')];
}
