import { expect, test } from 'vitest';
import { showClusters } from './hsm-metrics.js';
import { Metrics } from './metrics.js';

const cluster = (clusterId: string, ...wornOut: boolean[]) => ({
  clusterId,
  members: wornOut.map((each, index) => ({
    name: `m${index}`,
    breaker: undefined,
    statistics: undefined,
    wornOut: each,
  })),
});

test('the process is worn out while any member of any cluster is', async () => {
  const metrics = new Metrics([]);
  const shown = async () => /^holdfast_process_worn_out (.*)$/m.exec(await metrics.scrape())?.[1];
  showClusters(metrics, [cluster('a', false), cluster('b', false, true)]);
  expect(await shown()).toBe('1');
  showClusters(metrics, [cluster('a', false), cluster('b', false, false)]);
  expect(await shown()).toBe('0');
});
