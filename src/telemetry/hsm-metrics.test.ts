import { expect, test } from 'vitest';
import { unremarkable } from '../../test/member-condition.js';
import { hedgeCounter, showClusters, tryCounter } from './hsm-metrics.js';
import { Metrics } from './metrics.js';

const cluster = (clusterId: string, ...isStuck: boolean[]) => ({
  clusterId,
  minimumMembers: 2,
  generation: undefined,
  members: isStuck.map((each, index) => ({
    name: `m${index}`,
    breaker: undefined,
    isOpen: false,
    statistics: undefined,
    isStuck: each,
    ...unremarkable,
  })),
});

test('the process is stuck while any member of any cluster is', async () => {
  const metrics = new Metrics([]);
  const shown = async () => /^holdfast_process_worn_out (.*)$/m.exec(await metrics.scrape())?.[1];
  showClusters(metrics, [cluster('a', false), cluster('b', false, true)]);
  expect(await shown()).toBe('1');
  showClusters(metrics, [cluster('a', false), cluster('b', false, false)]);
  expect(await shown()).toBe('0');
});

test('hedges are counted by cluster and operation', async () => {
  const metrics = new Metrics([{ id: 'cluster-1', name: 'main', members: [{ name: 'a' }] }]);
  const onHedge = hedgeCounter(metrics)('cluster-1');
  onHedge('encrypt', 'sent');
  onHedge('encrypt', 'sent');
  onHedge('encrypt', 'won');
  const text = await metrics.scrape();
  expect(text).toContain('holdfast_hsm_hedges_sent_total{cluster="main",operation="encrypt"} 2');
  expect(text).toContain('holdfast_hsm_hedges_won_total{cluster="main",operation="encrypt"} 1');
});

test('an attempt that ran on no lane has no lane times', async () => {
  const metrics = new Metrics([{ id: 'cluster-1', name: 'main', members: [{ name: 'a' }] }]);
  const onTried = tryCounter(metrics);
  const tried = { clusterId: 'cluster-1', memberName: 'a', operation: 'inventory', durationMs: 5 } as const;
  onTried({ ...tried, lane: undefined, failure: undefined });
  const before = await metrics.scrape();
  expect(before).not.toContain('holdfast_hsm_lane_duration_seconds_count');
  onTried({ ...tried, operation: 'encrypt', lane: { waitMs: 2, workMs: 3 }, failure: undefined });
  const text = await metrics.scrape();
  const of = 'cluster="main",member="a",operation="encrypt"';
  expect(text).toContain(`holdfast_hsm_queue_wait_seconds_sum{${of}} 0.002`);
  expect(text).toContain(`holdfast_hsm_lane_duration_seconds_sum{${of}} 0.003`);
});
