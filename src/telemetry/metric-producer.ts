import { type HrTime, ValueType } from '@opentelemetry/api';
import { millisToHrTime } from '@opentelemetry/core';
import { emptyResource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  type CollectionResult,
  type DataPoint,
  DataPointType,
  type Histogram,
  type MetricData,
  type MetricDescriptor,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics';
import type { Clock } from '../clock.js';

/** A metric as prom-client's `getMetricsAsJSON` returns it. */
export interface RegisteredMetric {
  name: string;
  help: string;
  /** prom-client's type: a counter, a gauge, a histogram. */
  type: string;
  values: readonly RegisteredValue[];
}

interface RegisteredValue {
  value: number;
  labels: Readonly<Record<string, string | number | undefined>>;
  /** Only for a part of a histogram: its name with `_bucket`, `_sum` or `_count`. */
  metricName?: string;
}

/** The source of the metrics: the registry that Prometheus scrapes, so both show the same numbers. */
export interface RegisteredMetrics {
  read(): Promise<readonly RegisteredMetric[]>;
}

/**
 * Passes the metrics of the registry to OpenTelemetry's reader, under the same names and labels (OpenTelemetry
 * specification, "Prometheus and OpenMetrics Compatibility"). Sums and histograms are cumulative since the start.
 */
export class RegistryMetricProducer implements MetricProducer {
  readonly #metrics: RegisteredMetrics;
  readonly #clock: Clock;
  readonly #startTime: HrTime;

  constructor(metrics: RegisteredMetrics, clock: Clock) {
    this.#metrics = metrics;
    this.#clock = clock;
    this.#startTime = this.#now();
  }

  async collect(): Promise<CollectionResult> {
    const interval = { startTime: this.#startTime, endTime: this.#now() };
    const metrics = (await this.#metrics.read()).map((metric) => toMetricData(metric, interval));
    // The reader replaces it by the SDK's resource.
    return { resourceMetrics: { resource: emptyResource(), scopeMetrics: [{ scope, metrics }] }, errors: [] };
  }

  #now(): HrTime {
    return millisToHrTime(this.#clock.now().getTime());
  }
}

const scope = { name: 'holdfast' };

interface Interval {
  startTime: HrTime;
  endTime: HrTime;
}

function toMetricData(metric: RegisteredMetric, interval: Interval): MetricData {
  const shared = { descriptor: descriptorOf(metric), aggregationTemporality: AggregationTemporality.CUMULATIVE };
  if (metric.type === 'histogram') {
    return { ...shared, dataPointType: DataPointType.HISTOGRAM, dataPoints: histogramPoints(metric, interval) };
  }
  const dataPoints = metric.values.map(({ value, labels }) => ({
    ...interval,
    value,
    attributes: attributesOf(labels),
  }));
  if (metric.type === 'counter') return { ...shared, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints };
  return { ...shared, dataPointType: DataPointType.GAUGE, dataPoints };
}

/** The name already contains the unit, as Prometheus wants it; receivers would append a second one. */
function descriptorOf({ name, help }: RegisteredMetric): MetricDescriptor {
  return { name, description: help, unit: '', valueType: ValueType.DOUBLE };
}

function attributesOf(labels: RegisteredValue['labels']): Record<string, string> {
  const known = Object.entries(labels).filter(([name, value]) => name !== 'le' && value !== undefined);
  return Object.fromEntries(known.map(([name, value]) => [name, String(value)]));
}

/** One point for each set of labels. */
function histogramPoints({ name, values }: RegisteredMetric, interval: Interval): DataPoint<Histogram>[] {
  const parts = new Map<string, RegisteredValue[]>();
  for (const part of values) {
    const key = JSON.stringify(attributesOf(part.labels));
    parts.set(key, [...(parts.get(key) ?? []), part]);
  }
  return [...parts.values()].map((series) => ({
    ...interval,
    attributes: attributesOf(series[0]?.labels ?? {}),
    value: toHistogram(name, series),
  }));
}

/** Prometheus's buckets contain everything up to their bound; OpenTelemetry's contain the values between two bounds. */
function toHistogram(name: string, series: readonly RegisteredValue[]): Histogram {
  const upTo = series.filter(({ metricName }) => metricName === `${name}_bucket`);
  const sumOf = (part: string) => series.find(({ metricName }) => metricName === `${name}_${part}`)?.value ?? 0;
  return {
    buckets: {
      boundaries: upTo.map(({ labels }) => Number(labels['le'])).filter(Number.isFinite),
      counts: upTo.map(({ value }, index) => value - (upTo[index - 1]?.value ?? 0)),
    },
    sum: sumOf('sum'),
    count: sumOf('count'),
  };
}
