import { HoldfastError } from '../errors.js';

/** The right of one holder to do what `name` stands for, until it expires. */
export interface Lease {
  readonly name: string;
  /** The process that has it: a name that no other process has. */
  readonly holder: string;
  /** Rises with every lease of the catalog: of two leases of one name the later one has the higher fence. */
  readonly fence: number;
}

/**
 * The port to leases, which the catalog keeps for all its processes.
 *
 * Leases expire by the database's clock, never by the wall clock of a process. SQLite's processes share the running
 * time of their machine, which no step of the wall clock touches, and no lease outlives a restart of the machine. A
 * database on a host of its own has one clock for all. If even that clock jumps, two processes may think that they hold
 * a lease. Then the fence decides: a write under a lease (`KeyCatalog.underLease`) commits only as long as the lease is
 * the latest and valid.
 */
export interface Leases {
  /**
   * Takes a lease that is free or has expired. A holder that has it already gets it anew, with another fence, and for
   * at least the time that it had left.
   * @param ttlMs how long it lasts unless it is renewed
   * @returns undefined when another holder has it
   */
  acquireLease(name: string, holder: string, ttlMs: number): Promise<Lease | undefined>;
  /**
   * Makes the lease last at least `ttlMs` from now; never shortens it. @returns false when it has expired, or was
   * released or taken anew: it is lost for good.
   */
  renewLease(lease: Lease, ttlMs: number): Promise<boolean>;
  /** Gives it back. Harmless when it was lost. */
  releaseLease(lease: Lease): Promise<void>;
}

/** The work under a lease was not done, because the lease is no longer held. */
export class LeaseLostError extends HoldfastError {
  constructor(lease: Lease) {
    const message = `This process has lost the lease '${lease.name}' (fence ${lease.fence}).`;
    super('KMS_INTERNAL', message, { retryable: true });
  }
}
