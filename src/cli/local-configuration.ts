import type { Configuration } from '../config/configuration.js';
import type { ConfigurationError } from '../config/problem.js';
import { HoldfastError } from '../errors.js';
import type { SqliteCatalog } from '../storage/sqlite.js';
import { CliError, exitCodes } from './exit-codes.js';

/** The problems of a configuration, one per line. */
export function configurationError(
  error: ConfigurationError,
  code: 'CONFIGURATION' | 'CANNOT_START',
  hint?: string,
): CliError {
  const { file, problems } = error;
  const details = problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  return new CliError(exitCodes.local, code, `${file} cannot be used:`, { details, hint, cause: error });
}

/** Loads a configuration for a command that works beside the service. @throws CliError */
export async function loadForCommand(file: string): Promise<Configuration> {
  const { loadConfiguration } = await import('../config/load.js');
  const { ConfigurationError } = await import('../config/problem.js');
  try {
    return await loadConfiguration(file);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw configurationError(error, 'CONFIGURATION');
  }
}

/** Runs work on the catalog's file. @throws CliError with the problem of the catalog and its remedy */
export async function orCatalogError<T>(work: () => Promise<T>): Promise<T> {
  const { CatalogOpenError } = await import('../storage/database.js');
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof CatalogOpenError)) throw error;
    throw new CliError(exitCodes.local, 'CATALOG', error.message, { cause: error });
  }
}

/** Opens the catalog for work beside the service, which may be running. @throws CliError */
export async function onCatalog<T>(
  { catalog: { path } }: Configuration,
  work: (catalog: SqliteCatalog) => Promise<T>,
): Promise<T> {
  const { systemClock } = await import('../clock-system.js');
  const { openSqliteCatalog } = await import('../storage/sqlite.js');
  const catalog = await orCatalogError(() => openSqliteCatalog({ path, clock: systemClock }));
  return orCatalogError(() => withOpenCatalog(path, catalog, work));
}

/** Closes it afterwards. What its file answers meanwhile is a problem of the catalog too. @throws CatalogOpenError */
export async function withOpenCatalog<T>(
  path: string,
  catalog: SqliteCatalog,
  work: (catalog: SqliteCatalog) => Promise<T>,
): Promise<T> {
  const { openError } = await import('../storage/catalog-problem.js');
  try {
    return await work(catalog);
  } catch (error) {
    throw error instanceof HoldfastError && error.code === 'KMS_INTERNAL' ? openError(path, error) : error;
  } finally {
    await catalog.close();
  }
}
