import { beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../../test/manual-clock.js';
import { unremarkable } from '../../test/member-condition.js';
import { waitFor } from '../../test/wait-for.js';
import type { DrainedMember } from '../clusters/maintenance.js';
import type { ClusterStatus } from '../hsm/clusters.js';
import { ConfiguredClusterAdministration } from './cluster-administration.js';

const clusterId = 'cluster-1a2b3c4d5e6';
const place = { clusterId, memberName: 'a' };
const statistics = { admitted: true } as ClusterStatus['members'][number]['statistics'];

let members: ClusterStatus['members'];
let recorded: DrainedMember[];
let done: string[];
let replication: 'none' | 'wrapped';
let fails: boolean;
let administration: ConfiguredClusterAdministration;

const member = (name: string, change: Partial<ClusterStatus['members'][number]> = {}) => ({
  ...{ name, breaker: 'closed' as const, isOpen: true, isStuck: false, statistics },
  ...unremarkable,
  ...change,
});

beforeEach(() => {
  members = [member('a'), member('b')];
  recorded = [];
  done = [];
  replication = 'wrapped';
  fails = false;
  administration = new ConfiguredClusterAdministration({
    configuredClusters: {
      list: () => [{ clusterId, name: 'main', replication, minimumMembers: 2 } as never],
      status: () => [{ clusterId, minimumMembers: 2, generation: 1, members }],
      drainMember: ({ memberName }) => {
        done.push(`drain ${memberName}`);
        return fails ? Promise.reject(new Error('hangs')) : Promise.resolve();
      },
      returnMember: ({ memberName }) => void done.push(`return ${memberName}`),
    },
    reconciler: {
      check: () => Promise.resolve(),
      reconcile: () => (fails ? Promise.reject(new Error('secret')) : Promise.resolve({} as never)),
      lastResult: () => undefined,
    },
    loads: {
      memberLoad: () => ({ operationsPerSecond: 0, utilisation: 0, ceiling: undefined }),
      capacityOf: () => undefined,
    },
    maintenance: {
      listDrainedMembers: () => Promise.resolve(recorded),
      recordDrainedMember: (drained) => Promise.resolve(void recorded.push(drained)),
      forgetDrainedMember: () => Promise.resolve(void recorded.pop()),
    },
    members: { unaccountedMaterials: () => 0, witnessOf: () => null },
    clock: new ManualClock(),
    onBackgroundError: (_error, what) => void done.push(what),
  });
});

test.each([
  ['the only member that serves', [member('a'), member('b', { breaker: 'open' })]],
  ['the only member that has all keys', [member('a'), member('b', { missingMaterials: 1 })]],
])('%s is drained by force alone', async (_name, given) => {
  members = given;
  const refusal = { code: 'CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION', retryable: false };
  await expect(administration.drain(place, false, 0)).rejects.toMatchObject(refusal);
  expect([recorded, done]).toEqual([[], []]);
  await administration.drain(place, true, 0);
  expect([recorded.length, done]).toEqual([1, ['drain a']]);
});

test('two drains at once leave one member that serves', async () => {
  const other = { clusterId, memberName: 'b' };
  const outcomes = await Promise.allSettled([
    administration.drain(place, false, 0),
    administration.drain(other, false, 0),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  expect(done).toEqual(['drain a']);
});

test('a member that does not serve may always be drained', async () => {
  members = [member('a', { breaker: 'open' })];
  await administration.drain(place, false, 0);
  expect(done).toEqual(['drain a']);
});

test('a call that hangs is reported, and the member stays out', async () => {
  fails = true;
  await expect(administration.drain(place, false, 0)).rejects.toMatchObject({ code: 'DEPENDENCY_TIMEOUT' });
  expect(recorded).toHaveLength(1);
});

test('what another process has recorded is done here too', async () => {
  recorded = [{ ...place, drainedDate: new Date() }];
  members = [member('a'), member('b', { isDrained: true })];
  administration.start();
  await waitFor(() => expect(done).toEqual(['drain a', 'return b']));
  await administration.stop();
});

test('a comparison without a result, or with a failure, is shown; a cause is not', async () => {
  const shown = () => administration.reports()[0]?.reconciliation;
  fails = true;
  administration.startReconciling(clusterId, true);
  expect(shown()).toMatchObject({ dryRun: true, endTime: undefined });
  await waitFor(() => expect(shown()).toMatchObject({ failure: 'It failed; the log has the cause.' }));
  replication = 'none';
  administration.startReconciling(clusterId, false);
  await waitFor(() => expect(shown()).toMatchObject({ failure: undefined, dryRun: false, members: [] }));
  await waitFor(() => expect(shown()?.endTime).toBeInstanceOf(Date));
});
