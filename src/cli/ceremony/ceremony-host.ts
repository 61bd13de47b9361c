import { existsSync } from 'node:fs';
import type { Configuration } from '../../config/configuration.js';
import { CliError, exitCodes, localError } from '../exit-codes.js';

/**
 * Runs work while no service uses the configured catalog on this host. SO PINs must not reach a host that serves: who
 * holds both could give a known key to the cluster. A host without that catalog has no such service.
 * @param mayServe the operator's word that it is all right
 * @throws CliError while a service, or a command beside it, uses the catalog
 */
export async function onCeremonyHost<T>(
  { catalog: { path } }: Configuration,
  mayServe: boolean,
  work: () => Promise<T>,
): Promise<T> {
  if (mayServe || !(existsSync(path) || existsSync(`${path}-lock`))) return work();
  const { isBusy } = await import('../../storage/sqlite-connection.js');
  const { claimCatalog } = await import('../../storage/catalog-use.js');
  let claim: { release(): void };
  try {
    claim = claimCatalog(path);
  } catch (error) {
    if (error instanceof Error && isBusy(error.cause)) throw serves(error);
    throw localError(error instanceof Error ? error.message : String(error), error);
  }
  try {
    return await work();
  } finally {
    claim.release();
  }
}

function serves(cause: Error): CliError {
  return new CliError(
    exitCodes.checkFailed,
    'SERVING_HOST',
    'this host serves keys, and the PINs of security officers must never be on such a host',
    {
      cause,
      details: [cause.message],
      hint: 'run the ceremony on another host; --beside-service runs it here nevertheless',
    },
  );
}
