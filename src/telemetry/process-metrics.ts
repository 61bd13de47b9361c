import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import type { Clock } from '../clock.js';
import type { Metrics } from './metrics.js';

/** How often the event loop is looked at, in milliseconds: a delay shorter than this does not show. */
const eventLoopResolutionMs = 10;

/** What is shown of the event loop's delay. Not by a label `quantile`: that is for summaries (`promtool check metrics`). */
const statistics = [
  ['p50', 50],
  ['p99', 99],
  ['maximum', 100],
] as const;

/** What is shown of the process itself. @returns what ends the watch. */
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
      // The histogram holds the time between two looks, in nanoseconds; nothing yet where it has had no look.
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

/** @param counted seconds that are counted already */
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
