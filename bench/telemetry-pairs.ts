import { type Comparison, comparisonOf } from './comparison.js';
import { median } from './statistics.js';

/** The servers whose telemetry differs. */
export const serverNames = ['plain', 'control', 'tracing', 'metrics'] as const;
export type ServerName = (typeof serverNames)[number];

/** Those that are compared with the plain one. */
export const comparedNames = ['control', 'tracing', 'metrics'] as const;

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
  /** To export the spans of 1 % of the requests, for each request; counted in `tracing`. */
  exportMicrosPerRequest: number;
  /** Another plain server: what the method itself makes of no difference. */
  control: Comparison;
  /** 1 % of the requests traced. */
  tracing: Comparison;
  metrics: Comparison;
}

/** @param exportMicrosPerRequest was measured by itself: exports are too rare for each slice to have its share. */
export function telemetryReport(
  pairs: Pairs,
  { requestsPerSlice, exportMicrosPerRequest }: Pick<TelemetryReport, 'requestsPerSlice' | 'exportMicrosPerRequest'>,
): TelemetryReport {
  const plainMicros = median(comparedNames.flatMap((name) => pairs[name].map((pair) => pair.plainMicros)));
  const exportShare = exportMicrosPerRequest / plainMicros;
  return {
    requestsPerSlice,
    plainMicrosPerRequest: Number(plainMicros.toFixed(2)),
    exportMicrosPerRequest: Number(exportMicrosPerRequest.toFixed(3)),
    control: comparisonOf(pairs.control.map(ratioOf)),
    tracing: comparisonOf(pairs.tracing.map((pair) => ratioOf(pair) + exportShare)),
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
