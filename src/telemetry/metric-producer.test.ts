import { DataPointType } from '@opentelemetry/sdk-metrics';
import { expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.js';
import { RegistryMetricProducer } from './metric-producer.js';
import { Metrics } from './metrics.js';

it('the producer passes on counters, gauges and histograms with the same numbers, one point for each set of labels', async () => {
  const metrics = new Metrics([]);
  const labels = { face: 'grpc', method: 'Encrypt' };
  metrics.counters.rpcRequests.inc({ ...labels, code: 'OK' }, 3);
  metrics.gauges.auditHealthy.set(1);
  for (const seconds of [0.000_015, 0.03, 0.03, 100]) metrics.histograms.rpcDuration.observe(labels, seconds);
  const clock = new ManualClock();
  const producer = new RegistryMetricProducer(metrics, clock);
  clock.advance(5_000);
  const { resourceMetrics, errors } = await producer.collect();
  expect(errors).toEqual([]);
  const sent = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
  const named = (name: string) => sent.find(({ descriptor }) => descriptor.name === name);
  const requests = named('holdfast_rpc_requests_total');
  expect(requests).toMatchObject({ dataPointType: DataPointType.SUM, isMonotonic: true });
  const counted = requests?.dataPoints.filter(({ value }) => value !== 0);
  expect(counted).toMatchObject([{ value: 3, attributes: { ...labels, code: 'OK' } }]);
  expect(named('holdfast_audit_healthy')).toMatchObject({
    dataPointType: DataPointType.GAUGE,
    dataPoints: [{ value: 1 }],
  });
  const [point] = named('holdfast_rpc_duration_seconds')?.dataPoints ?? [];
  const { value, startTime, endTime } = point as unknown as {
    value: { buckets: { boundaries: number[]; counts: number[] } };
  } & Record<'startTime' | 'endTime', [number, number]>;
  expect(value).toMatchObject({ count: 4, sum: 100.060_015 });
  const { boundaries, counts } = value.buckets;
  expect(counts).toHaveLength(boundaries.length + 1);
  expect([counts[0], counts[boundaries.indexOf(0.05)], counts.at(-1)]).toEqual([1, 2, 1]);
  expect(counts.reduce((sum, count) => sum + count)).toBe(4);
  expect(endTime[0] - startTime[0]).toBe(5);
});
