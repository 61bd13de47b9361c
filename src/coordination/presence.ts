import type { Lease, Leases } from './leases.js';

/**
 * The time for which a process counts as alive after its last heartbeat, in milliseconds. There is one every five
 * seconds.
 */
export const presenceTtlMs = 30_000;

/** The name of the lease that a process holds until it ends. */
export function presenceLease(processName: string): string {
  return `process/${processName}`;
}

/**
 * Shows other processes that this one is alive: a lease on its own name, which ends some time after the last heartbeat.
 */
export class Presence {
  /** The name of this process, which no other one has. */
  readonly processName: string;
  readonly #leases: Leases;
  #lease: Lease | undefined;

  constructor(leases: Leases, processName: string) {
    this.#leases = leases;
    this.processName = processName;
  }

  /**
   * Shows that the process is alive, for at least `ttlMs` from now. Commits a change, so it rejects when the catalog
   * takes no changes.
   */
  async beat(ttlMs = presenceTtlMs): Promise<void> {
    if (this.#lease !== undefined && (await this.#leases.renewLease(this.#lease, ttlMs))) return;
    this.#lease = await this.#leases.acquireLease(presenceLease(this.processName), this.processName, ttlMs);
  }
}
