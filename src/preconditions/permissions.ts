import { stat } from 'node:fs/promises';
import { kindRefusal } from '../regular-file.js';
import type { Finding } from './finding.js';
import { fail, ok, reasonOf, refuse } from './finding.js';
import type { Surroundings } from './precondition.js';

/** Other users may not change the configuration: it says who may do what. It was read already. */
export async function checkConfigurationFile({ configuration }: Surroundings): Promise<Finding[]> {
  return [await checkNotWritable(`configuration ${configuration.path}`, configuration.path)];
}

/** Another user who may write here may do anything that the service may. */
async function checkNotWritable(subject: string, path: string): Promise<Finding> {
  try {
    const { mode } = await stat(path);
    if ((mode & 0o022) === 0) return ok(subject, 'only its owner may change it');
    return fail(subject, `others may change it (mode ${(mode & 0o777).toString(8)})`, `chmod go-w ${path}`);
  } catch (error) {
    return fail(subject, `it cannot be read: ${reasonOf(error)}`, 'check the path and who may read it');
  }
}

/**
 * The library of a module. The loader would wait for a named pipe for ever. Without a library `serve` starts, and goes on
 * trying to connect.
 */
export async function checkLibrary(subject: string, path: string): Promise<Finding> {
  const found = await stat(path).catch(() => undefined);
  const refusal = found === undefined ? undefined : kindRefusal(found);
  if (refusal !== undefined) return refuse(subject, `${path} ${refusal}`, 'name the PKCS#11 library of the HSM');
  return checkNotWritable(subject, path);
}
