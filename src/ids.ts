import { randomBytes, randomUUID } from 'node:crypto';

/** The port for identifiers that must be random. */
export interface Identifiers {
  /** A UUID: the id of a KMS key. */
  keyId(): string;
  /** 32 random bytes as 64 lower-case hex digits: the CKA_ID of one key material. */
  materialId(): string;
  /** `cks-` and 17 lower-case hex digits, like AWS's. */
  customKeyStoreId(): string;
  /** A UUID that names one request in logs, audit and errors. */
  requestId(): string;
}

/** Identifiers from the operating system's random number generator. */
export const randomIdentifiers: Identifiers = {
  keyId: () => randomUUID(),
  materialId: () => randomBytes(32).toString('hex'),
  customKeyStoreId: () => `cks-${randomBytes(9).toString('hex').slice(0, 17)}`,
  requestId: () => randomUUID(),
};
