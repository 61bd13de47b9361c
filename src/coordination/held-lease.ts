import type { Clock, ScheduledTask } from '../clock.js';
import { type Lease, LeaseLostError, type Leases } from './leases.js';

/** The time for which a process that died keeps others from its work, in milliseconds. */
const defaultTtlMs = 30_000;

/** How often this process has asked for a lease that excludes itself. */
let works = 0;

/** The dependencies of a held lease. */
export interface LeaseTools {
  leases: Leases;
  clock: Clock;
  /** The unique name of this process. */
  holder: string;
  /** The time that a lease lasts without renewal. Default 30 s. */
  ttlMs?: number | undefined;
  /** Whether each work has a holder of its own. Otherwise a second work of this process takes the lease over. Default false. */
  excludesOwnProcess?: boolean | undefined;
}

/** A lease that is renewed in the background until it is released or lost. */
export class HeldLease {
  readonly lease: Lease;
  readonly #tools: LeaseTools;
  readonly #ttlMs: number;
  #next: ScheduledTask | undefined;
  #isOver = false;

  constructor(tools: LeaseTools, lease: Lease, ttlMs: number) {
    this.lease = lease;
    this.#tools = tools;
    this.#ttlMs = ttlMs;
    this.#scheduleRenewal();
  }

  /**
   * Renews the lease now, so work that follows at once is done by its holder. Call it before work outside the catalog,
   * which no fence protects.
   * @throws LeaseLostError, or the catalog's error
   */
  async confirm(): Promise<void> {
    if (!(await this.#renew())) throw new LeaseLostError(this.lease);
  }

  async release(): Promise<void> {
    this.#end();
    await this.#tools.leases.releaseLease(this.lease);
  }

  /** Three attempts fit into the time of a lease, so a catalog that fails for a moment costs nothing. */
  #scheduleRenewal(): void {
    if (!this.#isOver) this.#next = this.#tools.clock.schedule(this.#ttlMs / 3, () => void this.#renewInBackground());
  }

  async #renewInBackground(): Promise<void> {
    try {
      await this.#renew();
    } catch {
      // Nothing to report yet: if the lease expires meanwhile, whatever is done under it next is refused, and says so.
    }
    this.#scheduleRenewal();
  }

  async #renew(): Promise<boolean> {
    const isHeld = await this.#tools.leases.renewLease(this.lease, this.#ttlMs);
    if (!isHeld) this.#end();
    return isHeld;
  }

  #end(): void {
    this.#isOver = true;
    this.#next?.cancel();
  }
}

/**
 * Runs `work` under a lease: in one process at a time. A lease that cannot be given back afterwards expires by itself.
 * @returns false when another process has the lease: then nothing was done
 * @throws the failure of the work; or the catalog's, even if only the release failed and the work is done
 */
export async function underLease(
  tools: LeaseTools,
  name: string,
  work: (held: HeldLease) => Promise<void>,
): Promise<boolean> {
  const { leases, ttlMs = defaultTtlMs } = tools;
  const holder = tools.excludesOwnProcess === true ? `${tools.holder}/${++works}` : tools.holder;
  const lease = await leases.acquireLease(name, holder, ttlMs);
  if (lease === undefined) return false;
  const held = new HeldLease(tools, lease, ttlMs);
  try {
    await work(held);
  } catch (error) {
    // The failure of the work is reported. That of the release is not: the lease expires by itself.
    await Promise.allSettled([held.release()]);
    throw error;
  }
  await held.release();
  return true;
}
