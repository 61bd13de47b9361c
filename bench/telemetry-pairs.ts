import { type Comparison, comparisonOf } from './comparison.js';
import { median } from './statistics.js';

/** The servers whose telemetry differs. */
export const serverNames = ['plain', 'control', 'tracing', 'tracingAll', 'metrics'] as const;
export type ServerName = (typeof serverNames)[number];

/** Those that are compared with the plain one. */
export const comparedNames = ['control', 'tracing', 'tracingAll', 'metrics'] as const;

/** CPU per request of two slices, one after the other, in microseconds. */
export interface Pair {
  plainMicros: number;
  otherMicros: number;
}

export type Pairs = Record<(typeof comparedNames)[number], Pair[]>;

/** What telemetry costs: CPU per request of each server ÷ that of the plain one, in the same process. */
export interface TelemetryReport {
  requestsPerSlice: number;
  /** Of the plain server, the median. */
  plainMicrosPerRequest: number;
  /** To export the spans of a request that is traced; counted in `tracing` and `tracingAll`. */
  exportMicrosPerTracedRequest: number;
  /** Another plain server: what the method itself makes of no difference. */
  control: Comparison;
  /** 1 % of the requests traced. */
  tracing: Comparison;
  /** All requests traced: what that costs is a hundred times what it costs at 1 %, and as much easier to see. */
  tracingAll: Comparison;
  metrics: Comparison;
}

/** The share of requests that are traced where tracing is measured. */
export const sampleRatios = { tracing: 0.01, tracingAll: 1 };

/** @param exportMicrosPerTracedRequest was measured by itself: exports are too rare for each slice to have its share. */
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
 * Plain, other, other, plain, or the reverse: two pairs of neighbours, of which each side is once the first, so that a machine
 * that grows busier favours none. By chance, so that what comes every so many requests, as V8's large collections do, does not
 * meet the same server always.
 */
export async function blockOf(
  other: ServerName,
  measure: (name: ServerName) => Promise<number>,
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

/** The same in an order of chance. */
export function shuffled<T>(values: readonly T[], random = Math.random): T[] {
  return values
    .map((value) => ({ value, place: random() }))
    .toSorted((left, right) => left.place - right.place)
    .map(({ value }) => value);
}
