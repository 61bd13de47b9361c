import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { Clock } from '../clock.js';
import type { Metrics } from './metrics.js';

/** How often the event loop is sampled, in milliseconds: a shorter delay is invisible. */
const eventLoopResolutionMs = 10;

/**
 * The published statistics of the event loop's delay. They have no label `quantile`: that is for summaries (`promtool
 * check metrics`).
 */
const statistics = [
  ['p50', 50],
  ['p99', 99],
  ['maximum', 100],
] as const;

/** Publishes metrics of the process itself. @returns a function that ends it. */
export function showProcess(metrics: Metrics, clock: Clock, version: string): () => void {
  const { gauges } = metrics;
  gauges.buildInfo.set({ version, node_version: process.version }, 1);
  gauges.startTime.set(clock.now().getTime() / 1_000);
  const stopEventLoopWatch = watchEventLoop(metrics);
  const cpu = { user: 0, system: 0 };
  metrics.refreshWith(() => {
    showMemory(metrics);
    countCpu(metrics, cpu);
  });
  return stopEventLoopWatch;
}

function watchEventLoop(metrics: Metrics): () => void {
  const { eventLoopDelay, eventLoopUtilization } = metrics.gauges;
  const histogram = monitorEventLoopDelay({ resolution: eventLoopResolutionMs });
  histogram.enable();
  let before = performance.eventLoopUtilization();
  metrics.refreshWith(() => {
    for (const [statistic, percentile] of statistics) {
      // The histogram contains the time between two samples, in nanoseconds; it is empty before the first.
      const seenMs = histogram.count === 0 ? eventLoopResolutionMs : histogram.percentile(percentile) / 1e6;
      eventLoopDelay.set({ statistic }, Math.max(0, seenMs - eventLoopResolutionMs) / 1_000);
    }
    histogram.reset();
    const now = performance.eventLoopUtilization();
    eventLoopUtilization.set(performance.eventLoopUtilization(now, before).utilization);
    before = now;
  });
  return () => histogram.disable();
}

function showMemory({ gauges }: Metrics): void {
  const { rss, heapUsed, external } = process.memoryUsage();
  gauges.residentMemory.set(rss);
  gauges.heapUsed.set(heapUsed);
  gauges.externalMemory.set(external);
}

/** @param counted seconds that have been counted already */
function countCpu({ counters }: Metrics, counted: { user: number; system: number }): void {
  const { user, system } = process.cpuUsage();
  for (const [mode, micros] of [
    ['user', user],
    ['system', system],
  ] as const) {
    counters.processCpu.inc({ mode }, Math.max(0, micros / 1e6 - counted[mode]));
    counted[mode] = micros / 1e6;
  }
}
