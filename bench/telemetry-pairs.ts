import { type Comparison, comparisonOf } from './comparison.js';
import { median } from './statistics.js';

/** The servers whose telemetry differs. */
export const serverNames = ['plain', 'control', 'tracing', 'tracingAll', 'metrics'] as const;
export type ServerName = (typeof serverNames)[number];

/** The servers that are compared with the plain one. */
export const comparedNames = ['control', 'tracing', 'tracingAll', 'metrics'] as const;

/** CPU per request of two successive slices, in microseconds. */
export interface Pair {
  plainMicros: number;
  otherMicros: number;
}

export type Pairs = Record<(typeof comparedNames)[number], Pair[]>;

/** The cost of telemetry: CPU per request of each server ÷ that of the plain one, in the same process. */
export interface TelemetryReport {
  requestsPerSlice: number;
  /** CPU per request of the plain server: the median, in microseconds. */
  plainMicrosPerRequest: number;
  /** The cost of exporting the spans of a traced request; included in `tracing` and `tracingAll`. */
  exportMicrosPerTracedRequest: number;
  /** Another plain server: the noise of the method itself. */
  control: Comparison;
  /** A server that traces 1 % of its requests. */
  tracing: Comparison;
  /** A server that traces every request: the cost is a hundred times that of 1 %, and so much easier to measure. */
  tracingAll: Comparison;
  metrics: Comparison;
}

/** The share of traced requests in the tracing measurements. */
export const sampleRatios = { tracing: 0.01, tracingAll: 1 };

/** @param exportMicrosPerTracedRequest measured separately: exports are too rare for each slice to have its share. */
export function telemetryReport(
  pairs: Pairs,
  {
    requestsPerSlice,
    exportMicrosPerTracedRequest,
  }: Pick<TelemetryReport, 'requestsPerSlice' | 'exportMicrosPerTracedRequest'>,
): TelemetryReport {
  const plainMicros = median(comparedNames.flatMap((name) => pairs[name].map((pair) => pair.plainMicros)));
  const withExport = (name: 'tracing' | 'tracingAll') =>
    pairs[name].map((pair) => ratioOf(pair) + (exportMicrosPerTracedRequest / plainMicros) * sampleRatios[name]);
  return {
    requestsPerSlice,
    plainMicrosPerRequest: Number(plainMicros.toFixed(2)),
    exportMicrosPerTracedRequest: Number(exportMicrosPerTracedRequest.toFixed(2)),
    control: comparisonOf(pairs.control.map(ratioOf)),
    tracing: comparisonOf(withExport('tracing')),
    tracingAll: comparisonOf(withExport('tracingAll')),
    metrics: comparisonOf(pairs.metrics.map(ratioOf)),
  };
}

export function ratioOf({ plainMicros, otherMicros }: Pair): number {
  return otherMicros / plainMicros;
}

/**
 * Plain, other, other, plain, or the reverse: two pairs of neighbours, in which each side comes first once, so a
 * machine that grows busier favours neither. The order is random: periodic events, such as V8's large collections, do
 * not always hit the same server.
 */
export async function blockOf<Name extends string>(
  other: Name,
  measure: (name: Name | 'plain') => Promise<number>,
  random = Math.random,
): Promise<[Pair, Pair]> {
  if (random() < 0.5) {
    const first = { plainMicros: await measure('plain'), otherMicros: await measure(other) };
    const otherMicros = await measure(other);
    return [first, { otherMicros, plainMicros: await measure('plain') }];
  }
  const otherMicros = await measure(other);
  const first = { otherMicros, plainMicros: await measure('plain') };
  return [first, { plainMicros: await measure('plain'), otherMicros: await measure(other) }];
}
