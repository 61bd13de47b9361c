import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { customKeyStoreId, type KeyDomain, openKeyDomain } from '../../test/key-domain.js';
import { createKey } from '../operations/keys/create-key.js';
import { KeyDeletion } from './key-deletion.js';
import { IntentRecovery, type UnaccountedMaterial } from './intent-recovery.js';
import { scheduleKeyDeletion } from '../operations/keys/schedule-key-deletion.js';

const minuteMs = 60_000;
let domain: KeyDomain;
let unaccounted: UnaccountedMaterial[];
let recovery: IntentRecovery;
beforeEach(async () => {
  domain = await openKeyDomain();
  unaccounted = [];
  recovery = new IntentRecovery({ core: domain.core, ...domain.own, onUnaccountedMaterial: noteUnaccounted });
});
afterEach(async () => {
  await recovery.stop();
  await domain.close();
});

const noteUnaccounted = (found: UnaccountedMaterial): void => {
  if (found.materialIds.length > 0) unaccounted.push(found);
};
const materialId = (digit: string) => digit.repeat(64);
const holds = (id: string) => domain.defaultCluster.has(id);
const intentState = async (id: string) => (await domain.catalog.findIntent(id))?.state;

/** The remains of a process that died after its call to the token: an open intent and material. */
async function interruptedCreate(id: string, where: 'default' | 'custom' = 'default'): Promise<void> {
  const cluster = where === 'default' ? domain.defaultCluster : domain.customCluster;
  const { account, region } = domain.context().principal;
  const intent = { account, region, materialId: id, keyId: `key-${id.slice(0, 4)}`, clusterId: cluster.clusterId };
  await domain.catalog.openIntent({ ...intent, state: 'open', openedDate: domain.clock.now(), abandonedDate: null });
  cluster.swapMaterial(id);
}

describe('the recovery of intents', () => {
  it('abandons an intent that is open too long, waits out the quarantine, destroys, and keeps a tombstone', async () => {
    const id = materialId('a');
    await interruptedCreate(id);
    domain.clock.advance(10 * minuteMs);
    await recovery.runNow();
    expect([await intentState(id), holds(id)]).toEqual(['open', true]);
    domain.clock.advance(1);
    await recovery.runNow();
    expect([await intentState(id), holds(id)]).toEqual(['abandoned', true]);
    domain.clock.advance(60 * minuteMs);
    await recovery.runNow();
    expect(holds(id)).toBe(true);
    domain.clock.advance(1);
    await recovery.runNow();
    expect([await intentState(id), holds(id)]).toEqual(['destroyed', false]);
    expect(domain.backgroundErrors).toEqual([]);
    const destroyed = { operation: 'DestroyAbandonedKeyMaterial', parameters: { material_ids: [id] } };
    expect(domain.auditEvents).toMatchObject([
      { operation: 'AbandonIntents', outcome: 'success', parameters: { count: 1 } },
      { ...destroyed, outcome: 'started' },
      { ...destroyed, outcome: 'success', principal: 'holdfast.internal' },
    ]);
  });

  it('destroys the material of a failed create', async () => {
    domain.defaultCluster.next('generateKeyMaterial', () => Promise.reject(new Error('the HSM')), 'after');
    await createKey(domain.core, { request: {} }, domain.context()).catch(() => undefined);
    domain.clock.advance(60 * minuteMs + 1);
    await recovery.runNow();
    const [{ materialIds } = { materialIds: ['none listed'] }] = await domain.defaultCluster.perform(
      'listMaterialIds',
      {},
      { deadlineMs: Infinity },
    );
    expect(materialIds).toEqual([]);
  });

  it('spares the material of a create that ends after its intent was abandoned', async () => {
    domain.customCluster.next('generateKeyMaterial', async () => {
      domain.clock.advance(9_000);
      await domain.catalog.abandonIntentsOpenedBefore(new Date('2100-01-01'), domain.clock.now());
    });
    const request = { origin: 'AWS_CLOUDHSM', customKeyStoreId };
    await expect(createKey(domain.core, { request }, domain.context())).rejects.toMatchObject({
      code: 'CUSTOM_KEY_STORE_INVALID_STATE',
    });
    await recovery.runNow();
    expect(domain.customCluster.calls).toEqual(['generateKeyMaterial']);
  });

  it('waits for a cluster that is not connected, and goes on with the others', async () => {
    await interruptedCreate(materialId('a'), 'custom');
    domain.clock.advance(1);
    await interruptedCreate(materialId('b'));
    domain.clock.advance(11 * minuteMs);
    await recovery.runNow();
    domain.clock.advance(61 * minuteMs);
    await domain.keyStores.setConnection('DISCONNECTED');
    await recovery.runNow();
    expect([await intentState(materialId('a')), await intentState(materialId('b'))]).toEqual([
      'abandoned',
      'destroyed',
    ]);
    await domain.keyStores.setConnection('CONNECTED');
    await recovery.runNow();
    expect([await intentState(materialId('a')), domain.customCluster.has(materialId('a'))]).toEqual([
      'destroyed',
      false,
    ]);
  });

  it('tries again after the HSM refused', async () => {
    await interruptedCreate(materialId('a'));
    await interruptedCreate(materialId('b'));
    domain.clock.advance(11 * minuteMs);
    await recovery.runNow();
    domain.clock.advance(61 * minuteMs);
    domain.defaultCluster.next('destroyKeyMaterial', () => Promise.reject(new Error('the HSM')));
    await recovery.runNow();
    expect(domain.backgroundErrors).toMatchObject([{ error: { message: 'the HSM' } }]);
    expect([holds(materialId('a')), holds(materialId('b'))].sort()).toEqual([false, true]);
    await recovery.runNow();
    expect([holds(materialId('a')), holds(materialId('b'))]).toEqual([false, false]);
  });

  it('destroys nothing if it cannot record it', async () => {
    await interruptedCreate(materialId('a'));
    domain.clock.advance(11 * minuteMs);
    await recovery.runNow();
    domain.clock.advance(61 * minuteMs);
    domain.auditFailure.error = new Error('the disk');
    await recovery.runNow();
    expect([await intentState(materialId('a')), holds(materialId('a'))]).toEqual(['abandoned', true]);
    domain.auditFailure.error = undefined;
    await recovery.runNow();
    expect([await intentState(materialId('a')), holds(materialId('a'))]).toEqual(['destroyed', false]);
  });

  it('never destroys the material of a key, whatever an intent says', async () => {
    const key = await domain.newKey();
    const { account, region } = key;
    const intent = { account, region, materialId: key.currentMaterialId, keyId: key.keyId, clusterId: key.clusterId };
    const abandoned = {
      ...intent,
      state: 'abandoned' as const,
      openedDate: key.creationDate,
      abandonedDate: key.creationDate,
    };
    let answered = false;
    const listAbandonedIntents = () => Promise.resolve(answered ? [] : ((answered = true), [abandoned]));
    const core = { ...domain.core, catalog: { ...domain.catalog, listAbandonedIntents } };
    await new IntentRecovery({ core, ...domain.own, onUnaccountedMaterial: () => undefined }).runNow();
    expect(holds(key.currentMaterialId)).toBe(true);
    expect(domain.backgroundErrors).toMatchObject([
      { error: { message: expect.stringContaining('Nothing was destroyed') as string } },
    ]);
  });
});

describe('several processes', () => {
  const another = (holder: string): IntentRecovery => {
    const leases = { ...domain.own.leases, holder };
    return new IntentRecovery({ core: domain.core, ...domain.own, leases, onUnaccountedMaterial: noteUnaccounted });
  };

  it('clear up each intent once', async () => {
    await interruptedCreate(materialId('a'));
    domain.clock.advance(11 * minuteMs);
    await recovery.runNow();
    domain.clock.advance(61 * minuteMs);
    await Promise.all([recovery, another('b'), another('c')].map((process) => process.runNow()));
    expect(domain.auditEvents.map(({ operation, outcome }) => `${operation} ${outcome}`)).toEqual([
      'AbandonIntents success',
      'DestroyAbandonedKeyMaterial started',
      'DestroyAbandonedKeyMaterial success',
    ]);
  });

  it('destroy reappeared material once, and the second one looks again in its next round', async () => {
    const doomed = await domain.newKey();
    await scheduleKeyDeletion(domain.core, { key: doomed, request: { pendingWindowInDays: 7 } });
    domain.clock.advance(8 * 24 * 60 * minuteMs);
    await new KeyDeletion({ core: domain.core, ...domain.own }).runNow();
    domain.defaultCluster.swapMaterial(doomed.currentMaterialId);
    const second = another('b');
    domain.defaultCluster.next('destroyKeyMaterial', () => second.checkInventory(domain.defaultCluster.clusterId));
    await recovery.checkInventory(domain.defaultCluster.clusterId);
    expect(holds(doomed.currentMaterialId)).toBe(false);
    // On a member that the first process did not see.
    domain.defaultCluster.swapMaterial(doomed.currentMaterialId);
    await second.runNow();
    expect(holds(doomed.currentMaterialId)).toBe(false);
    const destroyed = domain.auditEvents.filter(({ operation }) => operation === 'DestroyReappearedKeyMaterial');
    expect(destroyed.map(({ outcome }) => outcome)).toEqual(['started', 'success', 'started', 'success']);
    expect(domain.backgroundErrors).toEqual([]);
  });

  it('stop comparing in each round once the reappeared material is gone', async () => {
    const doomed = await domain.newKey();
    await scheduleKeyDeletion(domain.core, { key: doomed, request: { pendingWindowInDays: 7 } });
    domain.clock.advance(8 * 24 * 60 * minuteMs);
    await new KeyDeletion({ core: domain.core, ...domain.own }).runNow();
    domain.defaultCluster.swapMaterial(doomed.currentMaterialId);
    const second = another('b');
    domain.defaultCluster.next('destroyKeyMaterial', () => second.checkInventory(domain.defaultCluster.clusterId));
    await recovery.checkInventory(domain.defaultCluster.clusterId);
    const comparisons = () => domain.defaultCluster.calls.filter((call) => call === 'listMaterialIds').length;
    const before = comparisons();
    for (let round = 0; round < 3; round++) await second.runNow();
    expect(comparisons()).toBe(before + 1);
  });
});

describe('the inventory of a cluster that has connected', () => {
  it('is accounted for: keys and intents stay, unknown objects are reported, destroyed ones that reappear are destroyed again', async () => {
    const key = await domain.newKey();
    const doomed = await domain.newKey();
    await scheduleKeyDeletion(domain.core, { key: doomed, request: { pendingWindowInDays: 7 } });
    await interruptedCreate(materialId('a'));
    domain.clock.advance(8 * 24 * 60 * minuteMs);
    await new KeyDeletion({ core: domain.core, ...domain.own }).runNow();
    await recovery.runNow();
    domain.clock.advance(61 * minuteMs);
    await recovery.runNow();
    await interruptedCreate(materialId('b'));

    for (const id of [doomed.currentMaterialId, materialId('a'), materialId('f'), 'c0ffee'])
      domain.defaultCluster.swapMaterial(id);
    await recovery.checkInventory(domain.defaultCluster.clusterId);

    expect([
      holds(key.currentMaterialId),
      holds(materialId('b')),
      holds(materialId('f')),
      holds('c0ffee'),
    ]).not.toContain(false);
    expect([holds(doomed.currentMaterialId), holds(materialId('a'))]).toEqual([false, false]);
    const recorded = domain.auditEvents.filter(({ operation }) => operation === 'DestroyReappearedKeyMaterial');
    expect(recorded.map(({ outcome }) => outcome)).toEqual(['started', 'success', 'started', 'success']);
    const { clusterId } = domain.defaultCluster;
    expect(unaccounted).toEqual([{ clusterId, memberName: 'software', materialIds: [materialId('f'), 'c0ffee'] }]);
    expect(domain.backgroundErrors).toEqual([]);
  });

  it('is not compared with the rows of another cluster', async () => {
    const doomed = await domain.newKey('custom');
    await scheduleKeyDeletion(domain.core, { key: doomed, request: { pendingWindowInDays: 7 } });
    domain.clock.advance(8 * 24 * 60 * minuteMs);
    await new KeyDeletion({ core: domain.core, ...domain.own }).runNow();
    domain.defaultCluster.swapMaterial(doomed.currentMaterialId);
    await recovery.checkInventory(domain.defaultCluster.clusterId);
    expect(holds(doomed.currentMaterialId)).toBe(true);
    expect(unaccounted).toMatchObject([{ materialIds: [doomed.currentMaterialId] }]);
  });

  it('does not report a key as unaccounted if it is committed meanwhile', async () => {
    const key = await domain.newKey();
    // The state before the commit: the intent is looked up first and is missing only after the commit.
    const order: string[] = [];
    const catalog = {
      ...domain.catalog,
      findIntent: (id: string) => (order.push('intent'), domain.catalog.findIntent(id)),
      findMaterial: (id: string) => (order.push('material'), domain.catalog.findMaterial(id)),
    };
    const watching = new IntentRecovery({
      ...domain.own,
      core: { ...domain.core, catalog },
      onUnaccountedMaterial: noteUnaccounted,
    });
    await watching.checkInventory(key.clusterId);
    expect([order, unaccounted]).toEqual([['intent', 'material'], []]);
  });

  it('is left for the next round if the cluster is not connected or fails', async () => {
    await recovery.checkInventory('cluster-of-nobody');
    expect(domain.backgroundErrors).toEqual([]);
    domain.defaultCluster.next('listMaterialIds', () => Promise.reject(new Error('the HSM')));
    await recovery.checkInventory(domain.defaultCluster.clusterId);
    expect(domain.backgroundErrors).toMatchObject([{ error: { message: 'the HSM' } }]);
  });
});
