import type { DailyPeak } from './capacity.js';

/** The load of one cluster in one process, the mean of a minute. */
export interface ProcessLoad {
  clusterId: string;
  processName: string;
  recordedDate: Date;
  operationsPerSecond: number;
  /** What its lanes could do; null: unknown. */
  ceiling: number | null;
}

/** Which rows count, when a load is recorded. */
export interface LoadBounds {
  /** Processes whose row is older, or as much newer than this one, do not count: they have ended. */
  freshSince: Date;
  /** The day whose peak the load may raise. */
  day: string;
  /** As many days are kept, the latest ones: a clock that jumps takes none away. */
  keptDays: number;
}

/**
 * The port to the record of the clusters' load, with one row for each process that runs and one for each cluster and
 * day. Implemented by `storage/`.
 */
export interface LoadCatalog {
  /**
   * Replaces the process's row, adds the loads of all fresh processes, and raises the day's peak to their sum: so the
   * peak is of all processes together, whichever of them writes it.
   */
  recordLoad(load: ProcessLoad, bounds: LoadBounds): Promise<void>;
  /** The process ends: its load must not count beside its successor's. */
  forgetLoad(processName: string): Promise<void>;
  /** The days of a cluster, ascending; some may be in the future, if the clock was ahead. */
  listDailyPeaks(clusterId: string): Promise<DailyPeak[]>;
}
