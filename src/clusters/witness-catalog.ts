import type { CatalogEpoch } from './witness.js';

/** The witness that the catalog last had written on a member. */
export interface MemberWitness {
  clusterId: string;
  /** Its name in the configuration. */
  memberName: string;
  epoch: number;
  writtenDate: Date;
}

/** A catalog that does not follow a witness, as the process that found it recorded it. */
export interface FoundRollback {
  foundDate: Date;
  /** What was found, and what to do. */
  message: string;
}

/**
 * The port to the epoch of the catalog, and to what it knows of its witnesses. Implemented by `storage/`. Every promise
 * that resolves after a write means "committed and synced". The read cache keeps nothing of it.
 */
export interface WitnessCatalog {
  readEpoch(): Promise<CatalogEpoch>;
  /**
   * Raises the epoch if the catalog has changed since it was raised, and `minPauseMs` have passed. It counts as a change
   * if a key, a material, an alias or a key store did, or if encryptions were reserved. @returns the epoch afterwards
   */
  raiseEpoch(now: Date, minPauseMs: number): Promise<CatalogEpoch>;
  /** When this epoch began; undefined if it is too old to be known, or did not begin by a change. */
  findEpochDate(epoch: number): Promise<Date | undefined>;
  /** Those of the present incarnation. */
  listMemberWitnesses(): Promise<MemberWitness[]>;
  /** Never lowers an epoch. */
  recordMemberWitness(witness: MemberWitness): Promise<void>;
  findRollback(): Promise<FoundRollback | undefined>;
  /** Every process on the catalog stops at it, and none starts, until `acceptRollback`. The first one stays. */
  recordRollback(found: FoundRollback): Promise<void>;
  /**
   * Makes the catalog a new incarnation, which follows its own and those of the witnesses, and forgets the rollback that
   * was found. Like a restore: raises the counts of encryptions, holds deletions, and forgets open intents.
   */
  acceptRollback(incarnationIds: readonly string[]): Promise<void>;
  /**
   * Has a catalog that was restored, and not used since, follow these incarnations too, and forgets the rollback that was
   * found: all else was done when it was restored.
   */
  takeOverFrom(incarnationIds: readonly string[]): Promise<void>;
}
