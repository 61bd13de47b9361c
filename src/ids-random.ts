import { randomBytes, randomUUID } from 'node:crypto';
import type { Identifiers } from './ids.js';

/** Identifiers from the operating system's random number generator. */
export const randomIdentifiers: Identifiers = {
  keyId: () => randomUUID(),
  materialId: () => randomBytes(32).toString('hex'),
  customKeyStoreId: () => `cks-${randomBytes(9).toString('hex').slice(0, 17)}`,
  requestId: () => randomUUID(),
};
