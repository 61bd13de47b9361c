import { expect, test } from 'vitest';
import { DescribeClustersResponse } from '../faces/grpc/gen/holdfast/admin/v1/cluster_service.js';
import { clusterLines } from './cluster-lines.js';

const lines = (clusters: object[]): string[] =>
  clusterLines(DescribeClustersResponse.fromPartial({ clusters }).clusters);
const work = { lanes: 2, busyLanes: 1, quarantinedLanes: 0, queuedOperations: 3 };

test('a cluster is shown with its members, their tokens and what they lack', () => {
  const token = { label: 'a', serialNumber: '77\u001b', model: 'SoftHSM v2', firmwareVersion: '2.6' };
  const members = [
    { name: 'a', state: 'MEMBER_STATE_SERVING', token, generation: 2, missingMaterials: 4, ...work },
    { name: 'b', state: 'MEMBER_STATE_DRAINED', ...work },
  ];
  const cluster = { clusterId: 'cluster-1', name: 'main', replication: 'REPLICATION_WRAPPED', minimumMembers: 2 };
  expect(lines([{ ...cluster, connected: true, generation: 2, members }])).toEqual([
    'main (cluster-1): connected, replication wrapped, at least 2 of 2 members for a new key, wrapping keys of generation 2',
    '  a: SERVING, 2 lanes, 1 busy, 0 hung, 3 queued; 0.0 operations/s, 0 % busy, ceiling unknown; token "77\\u001b", SoftHSM v2, firmware 2.6; generation 2; lacks 4 keys',
    '  b: DRAINED, 2 lanes, 1 busy, 0 hung, 3 queued; 0.0 operations/s, 0 % busy, ceiling unknown',
  ]);
});

test('the load is shown, and when the ceiling is reached', () => {
  const load = { operationsPerSecond: 1234.5, utilisation: 0.256 };
  const shown = (capacity: object): string[] => lines([{ name: 'main', capacity }]).slice(1);
  expect(shown({ ...load, days: 3 })).toEqual([
    '  load: 1235 operations/s, 26 % busy, ceiling unknown',
    '  forecast: from the seventh whole day on; there are 3',
  ]);
  const limitDate = new Date('2027-01-02T00:00:00Z');
  const withOneMore = { ceiling: 7_232, limitDate: new Date('2027-06-01T00:00:00Z') };
  expect(shown({ ...load, ceiling: 4_821.4, days: 30, growthPerDay: 12.34, limitDate, withOneMore })).toEqual([
    '  load: 1235 operations/s, 26 % busy, ceiling 4821/s',
    '  forecast: the daily peak grows by 12.3 operations/s a day (30 days); it reaches the ceiling on 2027-01-02',
    '  one more member: ceiling 7232/s, until 2027-06-01',
  ]);
});

test('a cluster that does not enforce trust says so', () => {
  const [unenforced, enforced] = ['TRUST_UNENFORCED', 'TRUST_ENFORCED'].map(
    (trust) => lines([{ name: 'main', trust }])[0],
  );
  expect(unenforced).toMatch(/, trust: unenforced$/);
  expect(enforced).not.toContain('trust');
});

test('a comparison with the catalog is shown while it is under way, and afterwards', () => {
  const shown = (reconciliation: object): string[] => lines([{ name: 'main', reconciliation }]).slice(1);
  expect(shown({ members: [{ name: 'a', missing: 9, copied: 4 }] })).toEqual([
    '  is being compared with the catalog',
    '    a: lacked 9, 4 copied',
  ]);
  const endTime = new Date('2026-02-03T04:05:06Z');
  const member = { name: 'a', present: 7, missing: 2, copied: 1, failed: 1, duplicates: 0 };
  expect(shown({ endTime, dryRun: true, copiedElsewhere: true, failure: 'why', members: [member] })).toEqual([
    '  compared 2026-02-03T04:05:06.000Z; nothing was copied (dry run); another process copies; it failed: "why"',
    '    a: had 7, lacked 2, 1 copied, 1 failed',
  ]);
});
