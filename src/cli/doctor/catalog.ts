import { existsSync } from 'node:fs';
import { configuredCatalogProblem } from '../../composition/configured-catalog.js';
import type { Configuration } from '../../config/configuration.js';
import type { Finding } from './finding.js';
import { fail, ok } from './finding.js';

/** The catalog, by the rules of `serve`: opened for reading only, so that nothing is made and nothing migrated. */
export async function checkCatalog(configuration: Configuration): Promise<Finding> {
  const { path } = configuration.catalog;
  const subject = `catalog ${path}`;
  const problem = await configuredCatalogProblem(configuration);
  if (problem !== undefined) return fail(subject, problem.message, problem.remedy);
  return ok(
    subject,
    existsSync(path) ? 'opens, and its structure is sound' : 'the first start makes it (catalog.create)',
  );
}
