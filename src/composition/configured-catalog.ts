import { lstat, stat } from 'node:fs/promises';
import type { Clock } from '../clock.js';
import type { Configuration } from '../config/configuration.js';
import {
  type CatalogOwner,
  type CatalogProblem,
  catalogProblem,
  placeProblem,
  requireNone,
} from '../storage/catalog-problem.js';
import { createSqliteCatalog } from '../storage/create-catalog.js';
import { openSqliteCatalog, type SqliteCatalog } from '../storage/sqlite.js';

/** The catalog that a server opened, and whether this start created it. */
export interface ConfiguredCatalog {
  catalog: SqliteCatalog;
  created: boolean;
}

/**
 * Opens the catalog of a configuration, for a server. With `catalog.create` the first start creates it.
 * @throws CatalogOpenError
 */
export async function openConfiguredCatalog(configuration: Configuration, clock: Clock): Promise<ConfiguredCatalog> {
  const { path } = configuration.catalog;
  const created = (await mayCreate(configuration)) && (await createSqliteCatalog(path, clock));
  requireNone(created ? undefined : await configuredCatalogProblem(configuration));
  return { catalog: await openSqliteCatalog({ path, clock, checked: true }), created };
}

/** Why a server would not start with the catalog of its configuration; `doctor` shows the same. Changes nothing. */
export async function configuredCatalogProblem(configuration: Configuration): Promise<CatalogProblem | undefined> {
  const { catalog, audit } = configuration;
  if (await mayCreate(configuration)) return placeProblem(catalog.path);
  const found = catalogProblem(catalog.path, catalogOwner(configuration));
  if (found?.kind !== 'missing' || !catalog.create) return found;
  const message =
    `There is no catalog at ${catalog.path}, but the audit log ${audit.file} is not empty: this is not the first start, so ` +
    'that catalog.create makes none.';
  return { ...found, message };
}

/** The owner that a configuration expects of its catalog. */
export function catalogOwner({ identity, clusters }: Configuration): CatalogOwner {
  return { identity, clusterIds: clusters.map(({ id }) => id) };
}

/**
 * `create` tends to stay in the configuration, so it applies only without signs of an earlier start: an audit log with
 * content is older than this start, and its catalog is missing.
 */
async function mayCreate({ catalog, audit }: Configuration): Promise<boolean> {
  if (!catalog.create) return false;
  // In this order: a process that starts at the same time creates the catalog first, and begins its audit log
  // afterwards.
  const auditedBefore = await hasContent(audit.file);
  return !auditedBefore && !(await exists(catalog.path));
}

/**
 * Whether the path exists. A dangling link counts too; a path that cannot be examined is left for the open to explain.
 */
async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (error: unknown) => !isMissing(error),
  );
}

async function hasContent(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile() && found.size > 0,
    (error: unknown) => !isMissing(error),
  );
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
