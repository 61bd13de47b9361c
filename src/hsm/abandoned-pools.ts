import type { Clock, ScheduledTask } from '../clock.js';
import type { HsmEvents } from './events.js';
import { isNativeFailure } from './failure.js';
import type { NativePool } from './native.js';
import { type RecoverySettings, StuckOpenings } from './recovery.js';

/** How often abandoned pools are checked for calls that have returned. */
const askEveryMs = 1_000;

/** The part of `HsmClustersTools` that is needed here. Its one event asks for a new process. */
export interface AbandonedPoolsTools {
  clock: Clock;
  events: Pick<HsmEvents, 'memberStuck'>;
}

/** The cluster whose connect failed. */
export interface FailedCluster {
  clusterId: string;
  members: readonly { name: string; module: { privateInstance: boolean } }[];
  recovery: RecoverySettings;
}

/**
 * Pools that were closed while some of their calls hung inside a module. Until those calls return, which may be never,
 * each pool keeps its threads and, with a private instance, a copy of the library. The next connection of the cluster
 * would add more of them or, in a shared instance, wait for the hanging calls. So both are counted: the pools, and
 * the connects that failed because they had to wait.
 */
export class AbandonedPools {
  readonly #tools: AbandonedPoolsTools;
  readonly #pools = new Map<NativePool, string>();
  /** Consecutive connects that failed because of hanging calls, by cluster. */
  readonly #stuck = new Map<string, StuckOpenings>();
  #next: ScheduledTask | undefined;

  constructor(tools: AbandonedPoolsTools) {
    this.#tools = tools;
  }

  /** Adds a closed pool with calls still inside its module. */
  add(clusterId: string, pool: NativePool): void {
    this.#pools.set(pool, clusterId);
    this.#next ??= this.#tools.clock.schedule(askEveryMs, () => void this.#look());
  }

  /** How many pools of this cluster still have calls inside a module. */
  count(clusterId: string): number {
    return [...this.#pools.values()].filter((id) => id === clusterId).length;
  }

  /** Reports once when only a new process can connect the cluster. */
  connectFailed({ clusterId, members, recovery }: FailedCluster, cause: unknown): void {
    const openings = this.#stuck.get(clusterId) ?? new StuckOpenings(recovery);
    this.#stuck.set(clusterId, openings);
    const before = this.isStuck(clusterId);
    const shared = members.some(({ module }) => !module.privateInstance);
    openings.failed(cause, { hangs: this.count(clusterId) > 0, shared });
    if (before || !this.isStuck(clusterId)) return;
    for (const { name } of members) this.#tools.events.memberStuck({ clusterId, memberName: name }, cause);
  }

  connected(clusterId: string): void {
    this.#stuck.delete(clusterId);
  }

  /**
   * Whether hanging calls keep the cluster from connecting: enough consecutive connects failed, and some calls still
   * hang.
   */
  isStuck(clusterId: string): boolean {
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

/**
 * How many threads of a closed pool are still inside a module: `close`, called again, only counts them. Undefined if
 * the count fails because the system can start no more threads.
 */
async function stillInside(pool: NativePool, clock: Clock): Promise<number | undefined> {
  try {
    return await pool.close(clock.monotonicMs());
  } catch (error) {
    if (!isNativeFailure(error)) throw error;
    return undefined;
  }
}
