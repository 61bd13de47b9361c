import type { Kysely, Transaction } from 'kysely';
import type { BackupCatalog } from '../backup/backup-record.js';
import type { LoadCatalog } from '../clusters/load-catalog.js';
import type { MaintenanceCatalog } from '../clusters/maintenance.js';
import type { WitnessCatalog } from '../clusters/witness-catalog.js';
import { HoldfastError } from '../errors.js';
import type { Leases } from '../coordination/leases.js';
import type { KeyCatalog } from '../keys/catalog.js';
import type { KeyStoreCatalog, LoginAttempts } from '../keystores/catalog.js';
import type { DefaultPinCatalog } from '../keystores/default-pin-record.js';
import type { PinAgeCatalog } from '../keystores/pin-age.js';
import type { PinRotationCatalog } from '../keystores/pin-rotation.js';
import type { CatalogSchema, UniqueConstraint } from './schema.js';

/** Everything that the catalog records. */
export type Catalog = KeyCatalog &
  KeyStoreCatalog &
  LoginAttempts &
  Leases &
  MaintenanceCatalog &
  PinRotationCatalog &
  PinAgeCatalog &
  DefaultPinCatalog &
  LoadCatalog &
  WitnessCatalog &
  BackupCatalog;

/**
 * The operations that a database must offer below the shared queries. Those use portable SQL only; the differences are
 * behind this interface.
 */
export interface CatalogDatabase {
  /** One statement outside a transaction. Rejects with `HoldfastError` KMS_INTERNAL if the database fails. */
  read<T>(query: (database: Kysely<CatalogSchema>) => Promise<T>): Promise<T>;
  /**
   * A serialisable transaction that sees no other writer between its first statement and its commit, which is synced
   * to disk before this resolves. If `work` throws, it is rolled back. `work` may run again, so it must change nothing
   * but the database.
   * @throws UniqueConstraintError, or `HoldfastError` KMS_INTERNAL when the database fails; then nothing was changed.
   */
  write<T>(work: (transaction: Transaction<CatalogSchema>) => Promise<T>): Promise<T>;
  /** The time now, for use in that transaction. */
  time(transaction: Transaction<CatalogSchema>): Promise<DatabaseTime>;
}

/** A moment of the clock by which leases expire: the same one for every process that uses the database. */
export interface DatabaseTime {
  /** Names the clock: times of two clocks cannot be compared. With SQLite, each boot of the machine is a clock. */
  clock: string;
  /** Whole milliseconds. */
  nowMs: number;
}

/** A constraint of `uniqueConstraints` was violated: an expected outcome for the query that knows its meaning. */
export class UniqueConstraintError extends Error {
  override readonly name = 'UniqueConstraintError';

  constructor(
    readonly constraint: UniqueConstraint,
    cause: unknown,
  ) {
    super(`Unique constraint ${constraint} was violated.`, { cause });
  }
}

/**
 * The catalog cannot be used at all: wrong file, newer schema, unsafe modes. Its message names the remedy.
 */
export class CatalogOpenError extends Error {
  override readonly name = 'CatalogOpenError';
}

/** The error for callers when the database failed; the cause is for the log. */
export function catalogFailure(cause: unknown): HoldfastError {
  return new HoldfastError('KMS_INTERNAL', 'The catalog is not available.', { cause, retryable: true });
}

/** The error for callers when other writers held the catalog for too long. */
export function catalogBusy(cause: unknown): HoldfastError {
  const message = 'The catalog is busy. Try again.';
  return new HoldfastError('KMS_INTERNAL', message, { cause, retryable: true, retryAfterMs: 1_000 });
}
