import { constants } from 'node:fs';
import { access, lstat, open } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { systemClock } from '../../clock-system.js';
import { resolveSecret, SecretUnavailableError } from '../../config/secret-source.js';
import { pathProblem } from '../../path-problem.js';
import { CliError, exitCodes, localError } from '../exit-codes.js';
import { givenSigningKey, newSigningKey, type SigningKey } from './record-signature.js';

/** Where the record goes, and who signs it. */
export interface RecordOptions {
  record?: string;
  signingKey?: string;
}

/** The place of a record. Its default name contains the date, so that no record ever replaces another. */
export function recordPath(directory: string, cluster: string, generation: number, given: string | undefined): string {
  if (given !== undefined) return resolve(directory, given);
  const date = systemClock.now().toISOString().replaceAll(/[-:.]/g, '');
  return join(directory, `${cluster}-generation-${generation}-${date}.json`);
}

/** Finds out before the ceremony whether the record can be written after it. @throws CliError */
export async function requireRecordPlace(path: string): Promise<void> {
  // A link that points nowhere is in the way too. What cannot be looked at is for the check of the folder to explain.
  const found = await lstat(path).catch(() => undefined);
  if (found !== undefined)
    throw new CliError(exitCodes.local, 'LOCAL_FILE', `there is something at ${path}, and no record replaces a file`);
  try {
    await access(dirname(path), constants.W_OK | constants.X_OK);
  } catch (error) {
    const { reason, remedy } = pathProblem(error, 'written');
    throw localError(`${dirname(path)} ${reason}`, error, remedy);
  }
}

/** The key that signs: the operator's, or one for this record alone. @throws CliError */
export async function readSigningKey(path: string | undefined): Promise<SigningKey> {
  if (path === undefined) return newSigningKey();
  try {
    using pem = await resolveSecret({ kind: 'file', path });
    return givenSigningKey(pem.reveal());
  } catch (error) {
    if (error instanceof SecretUnavailableError) throw localError(error.message, error);
    throw localError(`${path} ${(error as Error).message}`, error, 'openssl genpkey -algorithm ed25519 makes one');
  }
}

/** Writes the record and waits until it is on disk. Nothing in it is secret. @throws CliError */
export async function writeRecord(path: string, text: string): Promise<void> {
  try {
    await using file = await open(path, 'wx', 0o644);
    await file.writeFile(text);
    await file.sync();
  } catch (error) {
    const { reason, remedy } = pathProblem(error, 'written');
    throw localError(
      `the record ${path} ${reason}; the generation is complete`,
      error,
      `${remedy}; then run the command again for a record`,
    );
  }
}
