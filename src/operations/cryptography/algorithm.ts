import { HoldfastError } from '../../errors.js';
import type { KeyRecord } from '../../keys/key.js';
import { algorithmsOf, type KeyUsage } from '../../keys/key-specs.js';

/** The one algorithm of symmetric keys, as responses name it. */
export const symmetricDefault = 'SYMMETRIC_DEFAULT';

/** @throws INVALID_KEY_USAGE if the key is not for this use: the live service's wording. */
export function requireUsage(key: KeyRecord, arn: string, wanted: KeyUsage, operation: string): void {
  if (key.keyUsage === wanted) return;
  const message = `${arn} key usage is ${key.keyUsage} which is not valid for ${operation}.`;
  throw new HoldfastError('INVALID_KEY_USAGE', message);
}

/**
 * @throws INVALID_KEY_USAGE if a request names an algorithm that the key does not have. No algorithm means the default.
 */
export function checkAlgorithm(key: KeyRecord, algorithm: string | undefined): void {
  if (algorithm === undefined || algorithmsOf(key.keySpec, key.keyUsage).includes(algorithm)) return;
  throw new HoldfastError('INVALID_KEY_USAGE', `Algorithm ${algorithm} and key spec ${key.keySpec} are incompatible.`);
}
