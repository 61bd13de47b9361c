import type { Clock, ScheduledTask } from '../clock.js';
import type { HsmEvents } from './events.js';
import { isNativeFailure } from './failure.js';
import type { NativePool } from './native.js';
import { type RecoverySettings, StuckOpenings } from './recovery.js';

/** How often those that were left behind are asked whether they have come back. */
const askEveryMs = 1_000;

/** A part of `HsmClustersTools`: of all events only the one that asks for a new process. */
export interface AbandonedPoolsTools {
  clock: Clock;
  events: Pick<HsmEvents, 'processWornOut'>;
}

/** What of a cluster it is about. */
export interface FailedCluster {
  clusterId: string;
  members: readonly { name: string; module: { privateInstance: boolean } }[];
  recovery: RecoverySettings;
}

/**
 * Pools that were closed while calls of theirs hung inside a module: each leaves threads and, with a private instance, a
 * copy of the library behind until those calls return, which may be never. The next connection of the cluster would add
 * to them, or wait behind them in an instance that all share; so they are counted, and connects that only waited are.
 */
export class AbandonedPools {
  readonly #tools: AbandonedPoolsTools;
  readonly #pools = new Map<NativePool, string>();
  /** By cluster: connects in a row that came to nothing because of what hangs. */
  readonly #stuck = new Map<string, StuckOpenings>();
  #next: ScheduledTask | undefined;

  constructor(tools: AbandonedPoolsTools) {
    this.#tools = tools;
  }

  /** A closed pool with something inside its module still. */
  add(clusterId: string, pool: NativePool): void {
    this.#pools.set(pool, clusterId);
    this.#next ??= this.#tools.clock.schedule(askEveryMs, () => void this.#look());
  }

  /** How many pools of this cluster have not come back. */
  count(clusterId: string): number {
    return [...this.#pools.values()].filter((id) => id === clusterId).length;
  }

  /** Says so once, where a new process is the only way to connect the cluster by now. */
  connectFailed({ clusterId, members, recovery }: FailedCluster, cause: unknown): void {
    const openings = this.#stuck.get(clusterId) ?? new StuckOpenings(recovery);
    this.#stuck.set(clusterId, openings);
    const before = this.isWornOut(clusterId);
    const shared = members.some(({ module }) => !module.privateInstance);
    openings.failed(cause, { hangs: this.count(clusterId) > 0, shared });
    if (before || !this.isWornOut(clusterId)) return;
    for (const { name } of members) this.#tools.events.processWornOut({ clusterId, memberName: name }, cause);
  }

  connected(clusterId: string): void {
    this.#stuck.delete(clusterId);
  }

  /** Whether what hangs keeps the cluster from connecting: so many connects in a row came to nothing, and some still hang. */
  isWornOut(clusterId: string): boolean {
    return this.count(clusterId) > 0 && this.#stuck.get(clusterId)?.isStuck === true;
  }

  async #look(): Promise<void> {
    const { clock } = this.#tools;
    for (const pool of [...this.#pools.keys()]) {
      if ((await stillInside(pool, clock)) === 0) this.#pools.delete(pool);
    }
    this.#next = this.#pools.size === 0 ? undefined : clock.schedule(askEveryMs, () => void this.#look());
  }
}

/** A pool that is closed already only tells how much of it is still inside; undefined where the system has no thread left to ask with. */
async function stillInside(pool: NativePool, clock: Clock): Promise<number | undefined> {
  try {
    return await pool.close(clock.monotonicMs());
  } catch (error) {
    if (!isNativeFailure(error)) throw error;
    return undefined;
  }
}
