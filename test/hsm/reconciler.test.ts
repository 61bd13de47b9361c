/** Members of a wrapped cluster that lack keys get them, on real tokens. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock-system.js';
import type { HsmCluster, MaterialReference } from '../../src/clusters/hsm-cluster.js';
import type { ConfiguredHsmClusters } from '../../src/hsm/clusters.js';
import { searchesPerList } from '../../src/jobs/copy-round.js';
import { IntentRecovery } from '../../src/jobs/intent-recovery.js';
import { Reconciler, type ReconcilerOptions } from '../../src/jobs/reconciler.js';
import type { MemberReconciliation, Reconciliation } from '../../src/jobs/reconciliation.js';
import { TokenReader } from '../token-reader.js';
import { waitFor } from '../wait-for.js';
import { newMember, runCeremony, type SoftHsmMember, WrappedCluster } from '../wrapped-cluster.js';
import { clusterId, codeOf, inTime, pin, soon, tokenLabel } from './fixture.js';

let on: WrappedCluster;
let clusters: ConfiguredHsmClusters;
let cluster: HsmCluster;

beforeEach(async () => {
  on = await WrappedCluster.make(3);
  clusters = on.clusters();
  cluster = await on.connected(clusters);
});
afterEach(() => on.dispose());

/** The dependencies of the jobs of a process, for a cluster that is connected. */
function jobsOf(of: HsmCluster, holder = 'a process') {
  const keyStores = {
    connectedCluster: (id: string) => (id === clusterId ? of : undefined),
    describeCluster: () => clusters.describe(clusterId),
  } as unknown as ReconcilerOptions['core']['keyStores'];
  const onBackgroundError = (error: unknown, what: string): void => void on.backgroundErrors.push({ error, what });
  const core = { catalog: on.catalog, keyStores, clock: systemClock, onBackgroundError };
  return { core, ...on.own(holder) };
}

function recoveryOf(of: HsmCluster, holder?: string): IntentRecovery {
  return new IntentRecovery({ ...jobsOf(of, holder), onUnaccountedMaterial: () => undefined });
}

function reconcilerOf(of: HsmCluster, holder?: string, change: Partial<ReconcilerOptions> = {}): Reconciler {
  const intentRecovery = recoveryOf(of, holder);
  const options = { ...jobsOf(of, holder), intentRecovery, clusterIds: [clusterId], copiesPerSecond: 10_000 };
  return new Reconciler({ ...options, ...change });
}

const counts = ({ members }: Reconciliation) =>
  members.map(({ memberName, present, missing, copied, failed }) => [memberName, present, missing, copied, failed]);
const memberOf = ({ members }: Reconciliation, name: string): MemberReconciliation => {
  const member = members.find(({ memberName }) => memberName === name);
  if (member === undefined) throw new Error(`There is no member ${name}.`);
  return member;
};
const copyActs = () => on.auditEvents.filter(({ operation }) => operation === 'CopyKeyMaterials');

/** A key that member `c` could not take. */
async function keyWithoutC() {
  on.member(2).fault.obey('C_UnwrapKey rv 0x5');
  const made = await on.makeKey(cluster);
  on.member(2).fault.heal();
  return made;
}

/** Copies a key to a member that has it, as a repair does that its searches misled. */
async function makeSecondObject(index: number, material: MaterialReference): Promise<void> {
  const { fault, name: memberName } = on.member(index);
  const generation = 1;
  const wrapping = await on.connected(on.clusters());
  const blob = await wrapping.perform('wrapKeyMaterial', { material, generation }, inTime());
  if (blob === undefined) throw new Error('No member has the key.');
  const misled = await on.connected(on.clusters());
  const hidden = `key ${material.materialId}`;
  fault.obey(`C_FindObjects ${hidden} no-objects\nC_GetAttributeValue ${hidden} times 1 rv 0x82`);
  const request = { material, memberName, generation, blob };
  expect(await misled.perform('restoreKeyMaterial', request, inTime())).toEqual({ copied: true });
  fault.heal();
  // SoftHSM may show another process's object a moment later.
  await waitFor(async () => {
    const [list] = await cluster.perform('listMaterialIds', { memberName }, inTime());
    expect(list?.materialIds.filter((id) => id === material.materialId)).toHaveLength(2);
  });
}

/** The cluster, in which something happens just before each copy. */
const before = (happens: () => Promise<unknown>): HsmCluster => ({
  clusterId,
  async perform(operation, request, call) {
    if (operation === 'copyKeyMaterial') await happens();
    return cluster.perform(operation, request, call);
  },
});

const copiesOnC = (materialId: string): number => {
  const reader = new TokenReader((on.member(2) as SoftHsmMember).hsm, tokenLabel, pin);
  return reader.secretKeys().filter(({ CKA_ID }) => CKA_ID === materialId).length;
};

describe('reconciliation', () => {
  test('copies what a member lacks, proves it, and records it', async () => {
    const first = await keyWithoutC();
    const both = [first, await keyWithoutC()];
    await on.makeKey(cluster);
    const progress: string[] = [];
    const result = await reconcilerOf(cluster).reconcile(clusterId, {
      onProgress: ({ memberName, tried, missing }) => void progress.push(`${memberName} ${tried}/${missing}`),
    });
    expect(counts(result)).toEqual([
      ['a', 3, 0, 0, 0],
      ['b', 3, 0, 0, 0],
      ['c', 1, 2, 2, 0],
    ]);
    expect(progress).toEqual(['c 1/2', 'c 2/2']);
    const ids = both.map(({ material }) => material.materialId).sort();
    expect(copyActs().map(({ outcome, parameters }) => [outcome, parameters])).toEqual([
      ['started', { cluster_id: clusterId, member: 'c', material_ids: ids }],
      ['success', { cluster_id: clusterId, member: 'c', material_ids: ids }],
    ]);
    await cluster.perform('proveKeyMaterial', { material: first.material, memberName: 'c' }, inTime());
    expect(counts(await reconcilerOf(cluster).reconcile(clusterId)).map(([, , missing]) => missing)).toEqual([0, 0, 0]);
    expect(on.backgroundErrors).toEqual([]);
  });

  test('a member whose list of keys ends early gets no second object of those that it left out', async () => {
    const made = [];
    for (let count = 0; count < 12; count += 1) made.push(await on.makeKey(cluster));
    const lacking = await keyWithoutC();
    // A process that starts while it lies has never seen the keys that are left out.
    const { fault } = on.member(2);
    fault.obey('C_FindObjects few 6');
    const other = await on.connected(on.clusters());
    const [, , before] = (await reconcilerOf(other, 'another process').reconcile(clusterId)).members;
    expect(before?.missing).toBeGreaterThan(searchesPerList);
    fault.heal();
    const [, , after] = (await reconcilerOf(cluster).reconcile(clusterId)).members;
    expect(after).toMatchObject({ present: 13, missing: 0, duplicateMaterialIds: [] });
    for (const { material } of [...made, lacking])
      await cluster.perform('proveKeyMaterial', { material, memberName: 'c' }, inTime());
  });

  test('a member that lies about its keys is not repaired, and keeps no other from it', async () => {
    on.member(1).fault.obey('C_UnwrapKey rv 0x5');
    const { material } = await on.makeKey(cluster);
    on.member(1).fault.heal();
    on.member(2).fault.obey('C_FindObjects no-objects');
    const { members } = await reconcilerOf(cluster).reconcile(clusterId);
    expect(members.map(({ memberName, compared, copied }) => [memberName, compared, copied])).toEqual([
      ['a', true, 0],
      ['b', true, 1],
      ['c', false, 0],
    ]);
    on.member(2).fault.heal();
    const healed = (await reconcilerOf(cluster).reconcile(clusterId)).members;
    expect(healed.map(({ missing, copied, duplicateMaterialIds }) => [missing, copied, duplicateMaterialIds])).toEqual([
      [0, 0, []],
      [0, 0, []],
      [0, 0, []],
    ]);
    for (const memberName of ['b', 'c']) await cluster.perform('proveKeyMaterial', { material, memberName }, inTime());
  });

  test('searches no member once more for each key: on large tokens that takes longer than the copy', async () => {
    const searches = async (keys: number): Promise<number[]> => {
      for (let made = 0; made < keys; made += 1) await keyWithoutC();
      const before = on.members.map(({ fault }) => fault.calls('C_FindObjectsInit'));
      const { members } = await reconcilerOf(cluster, undefined, { sampleSize: 0 }).reconcile(clusterId);
      expect(members.map(({ copied }) => copied)).toEqual([0, 0, keys]);
      return on.members.map(({ fault }, index) => fault.calls('C_FindObjectsInit') - (before[index] ?? 0));
    };
    await searches(1);
    expect(await searches(12)).toEqual(await searches(searchesPerList));
  });

  const meanwhile: [string, (copy: (of: HsmCluster) => Promise<unknown>) => Promise<unknown>][] = [
    ['was copied by this process', (copy) => copy(cluster)],
    [
      'came before the member was opened anew',
      async (copy) => {
        await copy(await on.connected(on.clusters()));
        await clusters.drainMember({ clusterId, memberName: 'c' }, soon());
        clusters.returnMember({ clusterId, memberName: 'c' });
        await waitFor(() => expect(clusters.status()[0]?.members[2]?.breaker).toBe('closed'));
      },
    ],
  ];
  test.each(meanwhile)('makes no second copy of a key that %s after the member’s keys were listed', async (_, come) => {
    const { material } = await keyWithoutC();
    const copy = (of: HsmCluster) => of.perform('copyKeyMaterial', { material, memberName: 'c' }, inTime());
    await reconcilerOf(before(() => come(copy))).reconcile(clusterId);
    expect(copiesOnC(material.materialId)).toBe(1);
  });

  test('makes no second copy of a key whose first one hung, and came after the member’s keys were listed', async () => {
    await on.close();
    clusters = on.clusters({ operationTimeoutMs: 3_000 });
    cluster = await on.connected(clusters);
    on.member(2).fault.obey('C_UnwrapKey hang');
    const { material } = await on.makeKey(cluster);
    const released = async () => {
      on.member(2).fault.heal();
      await waitFor(() => expect(copiesOnC(material.materialId)).toBe(1));
    };
    await waitFor(() => expect(clusters.status()[0]?.members[2]?.breaker).toBe('closed'));
    await reconcilerOf(before(released)).reconcile(clusterId);
    expect(copiesOnC(material.materialId)).toBe(1);
  });

  test('only compares in a dry run', async () => {
    await keyWithoutC();
    const result = await reconcilerOf(cluster).reconcile(clusterId, { dryRun: true });
    expect(counts(result)[2]).toEqual(['c', 0, 1, 0, 0]);
    expect([result.dryRun, on.auditEvents]).toEqual([true, []]);
  });

  test('gives all keys to a new token in an old one’s place, once it has the wrapping keys', async () => {
    for (let count = 0; count < 5; count += 1) await on.makeKey(cluster);
    await on.close();
    on.member(2).hsm.dispose();
    on.members[2] = newMember('c');
    clusters = on.clusters();
    cluster = await on.connected(clusters);
    const behind = await reconcilerOf(cluster).reconcile(clusterId);
    expect([memberOf(behind, 'c').isCurrent, counts(behind)[2]]).toEqual([false, ['c', 0, 5, 0, 0]]);
    await on.close();
    await runCeremony(on.members, 2);
    clusters = on.clusters();
    cluster = await on.connected(clusters);
    expect(counts(await reconcilerOf(cluster).reconcile(clusterId))[2]).toEqual(['c', 0, 5, 5, 0]);
  });

  test('takes its copy back if the key was deleted meanwhile', async () => {
    const { material, key } = await keyWithoutC();
    const overtaken: HsmCluster = {
      clusterId,
      async perform(operation, request, call) {
        const result = await cluster.perform(operation, request, call);
        if (operation === 'copyKeyMaterial') {
          const deleting = { state: 'Deleting', deletionDate: null, pendingDeletionWindowInDays: null } as const;
          await on.catalog.changeKeyState(key, key.keyId, ['Enabled'], deleting);
        }
        return result;
      },
    };
    expect(counts(await reconcilerOf(overtaken).reconcile(clusterId))[2]).toEqual(['c', 0, 1, 0, 0]);
    const [, , c] = await cluster.perform('listMaterialIds', {}, inTime());
    expect(c?.materialIds).toEqual([]);
    const destroyed = on.auditEvents.filter(({ operation }) => operation === 'DestroyReappearedKeyMaterial');
    expect(destroyed.map(({ outcome, parameters }) => [outcome, parameters['member']])).toEqual([
      ['started', 'c'],
      ['success', 'c'],
    ]);
    expect(destroyed[0]?.parameters['material_ids']).toEqual([material.materialId]);
  });

  test('copies nothing that has no committed key, and none that is too new to be settled', async () => {
    const materialId = 'ab'.repeat(32);
    const intent = { account: '111122223333', region: 'eu-central-1', keyId: 'k', clusterId, abandonedDate: null };
    await on.catalog.openIntent({ ...intent, materialId, state: 'open', openedDate: systemClock.now() });
    on.member(2).fault.obey('C_UnwrapKey rv 0x5');
    await cluster.perform('generateKeyMaterial', { materialId, label: 'intended' }, inTime());
    on.member(2).fault.heal();
    expect(counts(await reconcilerOf(cluster).reconcile(clusterId))[2]).toEqual(['c', 0, 0, 0, 0]);
    await keyWithoutC();
    const wary = reconcilerOf(cluster, 'a process', { settledAfterMs: 2 * 3_600_000 });
    expect(counts(await wary.reconcile(clusterId))[2]).toEqual(['c', 0, 1, 0, 0]);
  });

  test('is one process’s work at a time; the others compare', async () => {
    await keyWithoutC();
    await on.catalog.acquireLease(`reconcile/${clusterId}`, 'another process', 60_000);
    const result = await reconcilerOf(cluster).reconcile(clusterId);
    expect([result.copiedElsewhere, counts(result)[2]]).toEqual([true, ['c', 0, 1, 0, 0]]);
  });

  test('is continued by the next one: after an abort, and after a member that failed', async () => {
    for (let count = 0; count < 3; count += 1) await keyWithoutC();
    const abort = new AbortController();
    const stopped = {
      signal: abort.signal,
      onProgress: () => {
        abort.abort();
      },
    };
    expect(counts(await reconcilerOf(cluster).reconcile(clusterId, stopped))[2]).toEqual(['c', 0, 3, 1, 0]);
    on.member(2).fault.obey('C_UnwrapKey rv 0x5');
    expect(counts(await reconcilerOf(cluster).reconcile(clusterId))[2]).toEqual(['c', 1, 2, 0, 2]);
    expect(copyActs().at(-1)).toMatchObject({ outcome: 'failed', errorCode: 'KMS_INTERNAL' });
    expect(on.backgroundErrors).toHaveLength(1);
    on.member(2).fault.heal();
    expect(counts(await reconcilerOf(cluster).reconcile(clusterId))[2]).toEqual(['c', 1, 2, 2, 0]);
  });

  test('leaves one of several objects that are the same key, while another member has it', async () => {
    const { material } = await on.makeKey(cluster);
    await makeSecondObject(2, material);
    const doubled = (await reconcilerOf(cluster).reconcile(clusterId, { dryRun: true })).members;
    expect(doubled.map(({ duplicateMaterialIds }) => duplicateMaterialIds)).toEqual([[], [], [material.materialId]]);
    const { members } = await reconcilerOf(cluster).reconcile(clusterId);
    expect(members.map(({ duplicateMaterialIds }) => duplicateMaterialIds)).toEqual([[], [], []]);
    const acts = on.auditEvents.filter(({ operation }) => operation === 'DestroyDuplicateKeyMaterial');
    expect(acts.map(({ outcome }) => outcome)).toEqual(['started', 'success']);
    await cluster.perform('proveKeyMaterial', { material, memberName: 'c' }, inTime());
    const [, , after] = await cluster.perform('listMaterialIds', {}, inTime());
    expect(after?.materialIds).toEqual([material.materialId]);
  });

  test('touches no duplicate that only one member has, or of which one is not the key', async () => {
    const { material } = await on.makeKey(cluster);
    for (const index of [0, 1, 2]) await makeSecondObject(index, material);
    const planted = await on.makeKey(cluster);
    const intruder = await on.intruder(2);
    await intruder.plant(planted.material.materialId, planted.material.label);
    await intruder.close();
    const { members } = await reconcilerOf(cluster).reconcile(clusterId);
    const both = [material.materialId, planted.material.materialId].sort();
    expect(members.map(({ duplicateMaterialIds }) => duplicateMaterialIds.toSorted())).toEqual([
      [material.materialId],
      [material.materialId],
      both,
    ]);
    const [, , after] = await cluster.perform('listMaterialIds', {}, inTime());
    expect(after?.materialIds.toSorted()).toEqual([...both, ...both].sort());
  });

  test('reports foreign keys, duplicates and keys that have changed, and touches none of them', async () => {
    const duplicate = await on.makeKey(cluster);
    const changed = await on.makeKey(cluster);
    const intruder = await on.intruder(1);
    await intruder.plant('cd'.repeat(32), 'foreign');
    await intruder.plant(duplicate.material.materialId, duplicate.material.label);
    await intruder.destroy(changed.material.materialId);
    await intruder.plant(changed.material.materialId, changed.material.label);
    await intruder.close();
    on.events.length = 0;
    const b = memberOf(await reconcilerOf(cluster).reconcile(clusterId), 'b');
    expect(b.unknownMaterialIds).toEqual(['cd'.repeat(32)]);
    expect(b.duplicateMaterialIds).toEqual([duplicate.material.materialId]);
    expect(b.driftedMaterialIds.sort()).toEqual([changed, duplicate].map(({ material }) => material.materialId).sort());
    expect(on.events.sort()).toEqual(['canary-failed', 'canary-failed', 'material-ambiguous']);
    const again = memberOf(await reconcilerOf(cluster).reconcile(clusterId), 'b');
    expect([again.present, again.unknownMaterialIds.length]).toEqual([2, 1]);
  });

  test('says which members it could not compare, and what it cannot do', async () => {
    expect(await codeOf(reconcilerOf(cluster, 'a process', { clusterIds: [] }).reconcile(clusterId))).toBe(
      'UNSUPPORTED_OPERATION',
    );
    on.member(2).fault.remove('device-error');
    await on.close();
    clusters = on.clusters();
    cluster = await on.connected(clusters);
    const result = await reconcilerOf(cluster).reconcile(clusterId);
    expect(result.members.map(({ compared }) => compared)).toEqual([true, true, false]);
    await on.close();
    const closed = reconcilerOf(undefined as unknown as HsmCluster);
    expect(await codeOf(closed.reconcile(clusterId))).toBe('KEY_UNAVAILABLE');
  });
});

test('the copies of an abandoned creation are destroyed on every member, also on one that was away', async () => {
  const materialId = 'ef'.repeat(32);
  const longAgo = new Date(systemClock.now().getTime() - 24 * 3_600_000);
  const intent = { account: '111122223333', region: 'eu-central-1', keyId: 'k', clusterId };
  await on.catalog.openIntent({ ...intent, materialId, state: 'open', openedDate: longAgo, abandonedDate: null });
  await cluster.perform('generateKeyMaterial', { materialId, label: 'abandoned' }, inTime());
  await on.catalog.abandonIntent(materialId, longAgo);
  const lists = async (of: HsmCluster) =>
    (await of.perform('listMaterialIds', {}, inTime())).map(({ memberName, materialIds }) => [memberName, materialIds]);
  expect((await lists(cluster)).map(([, ids]) => ids)).toEqual([[materialId], [materialId], [materialId]]);
  await on.close();

  on.member(2).fault.remove('device-error');
  clusters = on.clusters();
  cluster = await on.connected(clusters);
  await recoveryOf(cluster).runNow();
  expect(await lists(cluster)).toEqual([
    ['a', []],
    ['b', []],
  ]);
  expect((await on.catalog.findIntent(materialId))?.state).toBe('abandoned');
  await on.close();

  on.member(2).fault.heal();
  cluster = await on.connected();
  await recoveryOf(cluster).runNow();
  expect((await lists(cluster)).map(([, ids]) => ids)).toEqual([[], [], []]);
  expect((await on.catalog.findIntent(materialId))?.state).toBe('destroyed');
});
