import { HoldfastError } from '../../errors.js';
import type { KeyRecord } from '../../keys/key.js';

/** The one algorithm of symmetric keys, as responses name it. */
export const symmetricDefault = 'SYMMETRIC_DEFAULT';

/**
 * @throws INVALID_KEY_USAGE if a request names an algorithm that the key does not have. No algorithm means the default.
 */
export function checkAlgorithm(key: KeyRecord, algorithm: string | undefined): void {
  if (algorithm === undefined || algorithm === symmetricDefault) return;
  throw new HoldfastError('INVALID_KEY_USAGE', `Algorithm ${algorithm} and key spec ${key.keySpec} are incompatible.`);
}
