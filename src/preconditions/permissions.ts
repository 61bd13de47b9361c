import { constants } from 'node:fs';
import { accessProblem, isProblem, lookAt } from '../path-problem.js';
import { kindRefusal } from '../regular-file.js';
import type { Finding } from './finding.js';
import { fail, ok, refuse } from './finding.js';
import type { Surroundings } from './precondition.js';

/** Other users must not be able to change the configuration, because it grants permissions. */
export async function checkConfigurationFile({ configuration }: Surroundings): Promise<Finding[]> {
  return [await checkNotWritable(`configuration ${configuration.path}`, configuration.path)];
}

/** Another user who may write here may do anything that the service may. */
async function checkNotWritable(subject: string, path: string): Promise<Finding> {
  const found = await lookAt(path);
  if (isProblem(found)) return fail(subject, `${path} ${found.reason}`, found.remedy);
  if ((found.mode & 0o022) === 0) return ok(subject, 'only its owner may change it');
  return fail(subject, `others may change it (mode ${(found.mode & 0o777).toString(8)})`, `chmod go-w ${path}`);
}

/**
 * The library of a module. The loader would wait for a named pipe for ever. Without a library `serve` starts, and keeps
 * trying to connect.
 */
export async function checkLibrary(subject: string, path: string): Promise<Finding> {
  const found = await lookAt(path);
  const refusal = isProblem(found) ? undefined : kindRefusal(found);
  if (refusal !== undefined) return refuse(subject, `${path} ${refusal}`, 'name the PKCS#11 library of the HSM');
  const unreadable = isProblem(found) ? undefined : await accessProblem(path, constants.R_OK, 'read');
  if (unreadable !== undefined) return fail(subject, `${path} ${unreadable.reason}`, unreadable.remedy);
  return checkNotWritable(subject, path);
}
