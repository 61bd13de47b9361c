import type { Clock } from '../clock.js';
import {
  type ClusterCapacity,
  clusterCeiling,
  clusterLoad,
  type DailyPeak,
  dayOf,
  forecast,
} from '../clusters/capacity.js';
import type { LoadCatalog } from '../clusters/load-catalog.js';
import { LoadMeter, type LoadSample, type MemberLoad } from '../clusters/load-meter.js';
import type { BackgroundErrorListener } from '../keys/core.js';
import { PeriodicJob } from './periodic-job.js';

/** The lanes of a cluster's members at one moment. */
export interface LanesOfCluster {
  clusterId: string;
  /** Only those that take work. */
  members: ({ name: string } & Omit<LoadSample, 'atMs'>)[];
}

/** The dependencies of the measurement. */
export interface LoadWatchTools {
  clock: Clock;
  catalog: LoadCatalog;
  /** The name of this process, which no other one has. */
  processName: string;
  /** Asks no HSM. */
  lanes: () => LanesOfCluster[];
  onBackgroundError: BackgroundErrorListener;
}

const sampleIntervalMs = 10_000;
const recordIntervalMs = 60_000;
/** A process that has not recorded its load for so long has ended. */
const processFreshMs = 90_000;
/** How many days count. */
const countedDays = 90;
const dayMs = 86_400_000;

interface MeasuredCluster {
  /** By the names of members. */
  meters: Map<string, LoadMeter>;
  /** Those that took work at the last sample. */
  serving: { name: string; lanes: number }[];
  peaks: DailyPeak[];
}

/**
 * Measures the load of the members, from counters that the addon keeps anyway, and keeps the clusters' daily peaks in
 * the catalog. Requests pay nothing for it.
 */
export class LoadWatch {
  readonly #tools: LoadWatchTools;
  readonly #clusters = new Map<string, MeasuredCluster>();
  readonly #rounds: PeriodicJob;
  #recordedMs: number | undefined;

  constructor(tools: LoadWatchTools) {
    this.#tools = tools;
    this.#rounds = new PeriodicJob({
      clock: tools.clock,
      intervalMs: sampleIntervalMs,
      name: 'measuring the load of clusters',
      round: () => this.#round(),
      onBackgroundError: tools.onBackgroundError,
    });
  }

  start(): void {
    this.#rounds.start();
  }

  /** Measures now. For tests; otherwise it happens every ten seconds. */
  measure(): Promise<void> {
    return this.#rounds.runNow();
  }

  async stop(): Promise<void> {
    const { catalog, processName, onBackgroundError } = this.#tools;
    await this.#rounds.stop();
    if (this.#recordedMs === undefined) return;
    await catalog.forgetLoad(processName).catch((error: unknown) => {
      onBackgroundError(error, 'forgetting the load of this process');
    });
  }

  /** A member's load; all 0 if it takes no work. */
  memberLoad(clusterId: string, memberName: string): MemberLoad {
    return this.#clusters.get(clusterId)?.meters.get(memberName)?.load ?? new LoadMeter().load;
  }

  /** @returns undefined for a cluster that has never been connected in this process */
  capacityOf(clusterId: string): ClusterCapacity | undefined {
    const cluster = this.#clusters.get(clusterId);
    if (cluster === undefined) return undefined;
    const { serving, peaks } = cluster;
    const now = this.#tools.clock.now();
    const ceiling = peaks.findLast((peak) => peak.ceiling !== null)?.ceiling ?? this.#ceilingHere(cluster);
    const memberCount = Math.max(1, serving.length);
    const more = ceiling === undefined ? undefined : (ceiling * (memberCount + 1)) / memberCount;
    return {
      ...clusterLoad(serving.map(({ name, lanes }) => ({ ...this.memberLoad(clusterId, name), lanes }))),
      ceiling,
      ...forecast(peaks, ceiling, now),
      withOneMore: more === undefined ? undefined : { ceiling: more, limitDate: forecast(peaks, more, now).limitDate },
    };
  }

  async #round(): Promise<void> {
    const { clock } = this.#tools;
    const atMs = clock.monotonicMs();
    for (const lanes of this.#tools.lanes()) this.#sample(lanes, atMs);
    this.#recordedMs ??= atMs;
    if (atMs - this.#recordedMs < recordIntervalMs && [...this.#clusters.values()].every(isRead)) return;
    await this.#record(atMs - this.#recordedMs >= recordIntervalMs);
    this.#recordedMs = atMs;
  }

  #sample({ clusterId, members }: LanesOfCluster, atMs: number): void {
    const known = this.#clusters.get(clusterId);
    if (known === undefined && members.length === 0) return;
    const cluster = known ?? { meters: new Map<string, LoadMeter>(), serving: [], peaks: unread };
    this.#clusters.set(clusterId, cluster);
    for (const [name, meter] of cluster.meters) if (!members.some((member) => member.name === name)) meter.pause();
    for (const { name, ...counters } of members) {
      const meter = cluster.meters.get(name) ?? new LoadMeter();
      cluster.meters.set(name, meter);
      meter.take({ ...counters, atMs });
    }
    cluster.serving = members.map(({ name, lanes }) => ({ name, lanes }));
  }

  async #record(writes: boolean): Promise<void> {
    const { catalog, processName, clock } = this.#tools;
    const recordedDate = clock.now();
    const now = recordedDate.getTime();
    const bounds = {
      freshSince: new Date(now - processFreshMs),
      day: dayOf(recordedDate),
      keptDays: 2 * countedDays,
    };
    const oldestDay = dayOf(new Date(now - countedDays * dayMs));
    for (const [clusterId, cluster] of this.#clusters) {
      const { operationsPerSecond } = clusterLoad(this.#loadsOf(cluster));
      const ceiling = this.#ceilingHere(cluster) ?? null;
      const load = { clusterId, processName, recordedDate, operationsPerSecond, ceiling };
      if (writes) await catalog.recordLoad(load, bounds);
      const peaks = await catalog.listDailyPeaks(clusterId);
      // A clock that was ahead has left days of the future.
      cluster.peaks = peaks.filter(({ day }) => day >= oldestDay && day <= bounds.day);
    }
  }

  #ceilingHere(cluster: MeasuredCluster): number | undefined {
    return clusterCeiling(this.#loadsOf(cluster));
  }

  #loadsOf({ serving, meters }: MeasuredCluster) {
    return serving.map(({ name, lanes }) => ({ ...(meters.get(name) ?? new LoadMeter()).load, lanes }));
  }
}

const unread: DailyPeak[] = [];

function isRead({ peaks }: MeasuredCluster): boolean {
  return peaks !== unread;
}
