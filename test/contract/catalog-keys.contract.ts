import { expect, it } from 'vitest';
import type { KeyStateChange } from '../../src/keys/catalog.js';
import type { KeyRecord, StoredKeyState } from '../../src/keys/key.js';
import type { Catalog } from '../../src/storage/database.js';
import type { OpenedCatalog } from './catalog.contract.js';
import {
  addKey,
  addStore,
  aliasFor,
  day,
  intentFor,
  keyRecord,
  materialOf,
  otherScope,
  scope,
} from './catalog-records.js';

const plain = (state: StoredKeyState): KeyStateChange => ({
  state,
  deletionDate: null,
  pendingDeletionWindowInDays: null,
});
const pending = (deletionDate: Date): KeyStateChange => ({
  state: 'PendingDeletion',
  deletionDate,
  pendingDeletionWindowInDays: 7,
});

export function keyContract(opened: () => OpenedCatalog): void {
  it('keeps key and material exactly, in their scope', async () => {
    const { catalog } = opened();
    const key = keyRecord({ description: '' });
    const material = { ...materialOf(key), extractable: true };
    await catalog.openIntent(intentFor(key));
    await catalog.commitKey(key, material);
    expect(await catalog.findKey(scope, key.keyId)).toEqual(key);
    expect(await catalog.findMaterial(material.materialId)).toEqual(material);
    expect(await catalog.listMaterialsOfKey(key.keyId)).toEqual([material]);
    expect(await catalog.findKey(otherScope, key.keyId)).toBeUndefined();
    expect(await catalog.findKey({ ...scope, region: 'us-east-1' }, key.keyId)).toBeUndefined();
    expect(await catalog.findMaterial('ff'.repeat(32))).toBeUndefined();
    expect(await catalog.listMaterialsOfKey('none')).toEqual([]);
  });

  it('pages the materials that a cluster should have, of every scope, without those of keys being deleted', async () => {
    const { catalog } = opened();
    const clusterId = 'cluster-pages000001';
    const kept: string[] = [];
    for (const state of ['Enabled', 'Disabled', 'PendingDeletion', 'Deleting', 'Deleted'] as const) {
      for (const where of [scope, otherScope]) {
        const { currentMaterialId } = await addKey(catalog, { ...where, clusterId, state });
        const isKept = state !== 'Deleting' && state !== 'Deleted';
        if (isKept) kept.push(currentMaterialId);
        expect(await catalog.isMaterialKept(currentMaterialId), state).toBe(isKept);
      }
    }
    await addKey(catalog);
    kept.sort();
    const paged: string[] = [];
    for (let after: string | undefined; ; after = paged.at(-1)) {
      const page = await catalog.listMaterialsOfCluster(clusterId, after, 4);
      paged.push(...page.map(({ materialId }) => materialId));
      if (page.length < 4) break;
    }
    expect(paged).toEqual(kept);
    const [first] = await catalog.listMaterialsOfCluster(clusterId, undefined, 1);
    expect(first).toEqual(await catalog.findMaterial(kept[0] ?? ''));
    expect(await catalog.isMaterialKept('ff'.repeat(32))).toBe(false);
  });

  it('lets two regions have a key of the same id (multi-Region keys)', async () => {
    const { catalog } = opened();
    const here = await addKey(catalog, { keyId: `mrk-${'1'.repeat(32)}` });
    const there = await addKey(catalog, { keyId: here.keyId, region: 'us-east-1' });
    expect(await catalog.changeKeyState(there, there.keyId, ['Enabled'], plain('Disabled'))).toBe(true);
    expect(await catalog.findKey(here, here.keyId)).toEqual(here);
  });

  it('pages keys of a scope in the order of their ids', async () => {
    const { catalog } = opened();
    const ids: string[] = [];
    for (let count = 0; count < 7; count++) ids.push((await addKey(catalog)).keyId);
    await addKey(catalog, otherScope);
    ids.sort();
    const paged: string[] = [];
    for (let after: string | undefined; ; after = paged.at(-1)) {
      const page = await catalog.listKeys(scope, after, 3);
      paged.push(...page.map((key) => key.keyId));
      if (page.length < 3) break;
    }
    expect(paged).toEqual(ids);
    expect((await catalog.listKeys(scope, undefined, 100)).map((key) => key.keyId)).toEqual(ids);
    expect(await catalog.listKeys(scope, ids.at(-1), 3)).toEqual([]);
  });

  it('continues after an id that no longer exists', async () => {
    const { catalog } = opened();
    await addKey(catalog, { keyId: 'a' });
    await addKey(catalog, { keyId: 'c' });
    expect((await catalog.listKeys(scope, 'b', 10)).map((key) => key.keyId)).toEqual(['c']);
  });

  it('lists no key whose deletion has begun or ended', async () => {
    const { catalog } = opened();
    for (const state of ['Enabled', 'Disabled', 'PendingDeletion', 'Deleting', 'Deleted'] as const) {
      const key = await addKey(catalog, { keyId: state });
      await catalog.changeKeyState(scope, key.keyId, ['Enabled'], plain(state));
    }
    const listed = await catalog.listKeys(scope, undefined, 10);
    expect(listed.map((key) => key.keyId)).toEqual(['Disabled', 'Enabled', 'PendingDeletion']);
    expect(await catalog.findKey(scope, 'Deleted')).toMatchObject({ state: 'Deleted' });
  });

  it('changes a state with its date and window only from the states that are named', async () => {
    const { catalog } = opened();
    const key = await addKey(catalog);
    expect(await catalog.changeKeyState(scope, key.keyId, ['Disabled'], pending(day(9)))).toBe(false);
    expect(await catalog.changeKeyState(scope, key.keyId, [], pending(day(9)))).toBe(false);
    expect(await catalog.changeKeyState(otherScope, key.keyId, ['Enabled'], pending(day(9)))).toBe(false);
    expect(await catalog.findKey(scope, key.keyId)).toEqual(key);
    expect(await catalog.changeKeyState(scope, key.keyId, ['Disabled', 'Enabled'], pending(day(9)))).toBe(true);
    expect(await catalog.findKey(scope, key.keyId)).toEqual({ ...key, ...pending(day(9)) });
    expect(await catalog.changeKeyState(scope, key.keyId, ['PendingDeletion'], plain('Disabled'))).toBe(true);
    expect(await catalog.findKey(scope, key.keyId)).toEqual({ ...key, ...plain('Disabled') });
  });

  it('changes a description only in the states that are named', async () => {
    const { catalog } = opened();
    const key = await addKey(catalog);
    expect(await catalog.changeKeyDescription(scope, key.keyId, ['Disabled'], 'new')).toBe(false);
    expect(await catalog.changeKeyDescription(otherScope, key.keyId, ['Enabled'], 'new')).toBe(false);
    expect(await catalog.findKey(scope, key.keyId)).toEqual(key);
    expect(await catalog.changeKeyDescription(scope, key.keyId, ['Disabled', 'Enabled'], '')).toBe(true);
    expect(await catalog.findKey(scope, key.keyId)).toEqual({ ...key, description: '' });
  });

  it('lets exactly one of several competing changes win', async () => {
    const { catalog, another } = opened();
    const key = await addKey(catalog);
    const rivals = [catalog, await another(), catalog, await another()];
    const won = await Promise.all(
      rivals.map((rival) => rival.changeKeyState(scope, key.keyId, ['Enabled'], plain('Disabled'))),
    );
    expect(won.filter((one) => one)).toHaveLength(1);
  });

  it('lists keys due for deletion in all scopes, the most overdue first, and unfinished deletions', async () => {
    const { catalog } = opened();
    const schedule = async (keyId: string, date: Date, change: Partial<typeof otherScope> = {}) => {
      const key = await addKey(catalog, { keyId, ...change });
      await catalog.changeKeyState(key, keyId, ['Enabled'], pending(date));
    };
    await schedule('later', day(20));
    await schedule('due', day(10));
    await schedule('overdue', day(5), otherScope);
    await schedule('begun', day(7));
    await catalog.beginDeletion(scope, 'begun', day(10));
    await addKey(catalog, { keyId: 'enabled' });
    const due = async (limit: number) => (await catalog.listKeysToDelete(day(10), limit)).map((key) => key.keyId);
    expect(await due(10)).toEqual(['overdue', 'begun', 'due']);
    expect(await due(2)).toEqual(['overdue', 'begun']);
  });

  it('begins a deletion only when it is pending and due', async () => {
    const { catalog } = opened();
    const key = await addKey(catalog);
    expect(await catalog.beginDeletion(scope, key.keyId, day(30))).toBe(false);
    await catalog.changeKeyState(scope, key.keyId, ['Enabled'], pending(day(10)));
    expect(await catalog.beginDeletion(scope, key.keyId, day(9))).toBe(false);
    expect(await catalog.beginDeletion(otherScope, key.keyId, day(10))).toBe(false);
    expect(await catalog.beginDeletion(scope, key.keyId, day(10))).toBe(true);
    expect(await catalog.beginDeletion(scope, key.keyId, day(10))).toBe(false);
    expect(await catalog.findKey(scope, key.keyId)).toEqual({ ...key, ...pending(day(10)), state: 'Deleting' });
  });

  it('turns key and materials into tombstones and removes the aliases in one step', async () => {
    const { catalog } = opened();
    const { key, neighbour } = await deletingKey(catalog);
    await catalog.completeDeletion(scope, key.keyId, day(11));
    expect(await catalog.findKey(scope, key.keyId)).toEqual({ ...key, ...pending(day(10)), state: 'Deleted' });
    expect((await catalog.findMaterial(key.currentMaterialId))?.destroyedDate).toEqual(day(11));
    expect((await catalog.findMaterial(neighbour.currentMaterialId))?.destroyedDate).toBeNull();
    const query = { scope, targetKeyId: undefined, afterAliasName: undefined, limit: 10 };
    expect((await catalog.listAliases(query)).map((alias) => alias.aliasName)).toEqual(['alias/stays']);
    expect(await catalog.listKeysToDelete(day(30), 10)).toEqual([]);
  });

  it('completes a deletion once, and never that of a key that is not being deleted', async () => {
    const { catalog } = opened();
    const { key, neighbour } = await deletingKey(catalog);
    await catalog.completeDeletion(scope, key.keyId, day(11));
    await catalog.completeDeletion(scope, key.keyId, day(12));
    await catalog.completeDeletion(scope, neighbour.keyId, day(12));
    expect((await catalog.findMaterial(key.currentMaterialId))?.destroyedDate).toEqual(day(11));
    expect(await catalog.findKey(scope, neighbour.keyId)).toEqual(neighbour);
    expect(await aliasNames(catalog, neighbour)).toEqual(['alias/stays']);
  });

  it('deletes a multi-Region key in its own region only', async () => {
    const { catalog } = opened();
    const here = await addKey(catalog, { keyId: `mrk-${'2'.repeat(32)}` });
    const there = await addKey(catalog, { keyId: here.keyId, region: 'us-east-1' });
    await catalog.createAlias(aliasFor(there, 'alias/there'), 50);
    for (const key of [here, there]) {
      await catalog.changeKeyState(key, key.keyId, ['Enabled'], pending(day(10)));
      await catalog.beginDeletion(key, key.keyId, day(10));
    }
    await catalog.completeDeletion(here, here.keyId, day(11));
    expect((await catalog.findKey(here, here.keyId))?.state).toBe('Deleted');
    expect((await catalog.findKey(there, there.keyId))?.state).toBe('Deleting');
    expect((await catalog.findMaterial(there.currentMaterialId))?.destroyedDate).toBeNull();
    expect(await aliasNames(catalog, there)).toEqual(['alias/there']);
  });

  it('counts the keys of a store without tombstones', async () => {
    const { catalog } = opened();
    const store = await addStore(catalog, { connectionState: 'CONNECTED' });
    const { customKeyStoreId, clusterId } = store;
    for (const state of ['Enabled', 'Disabled', 'PendingDeletion', 'Deleting', 'Deleted'] as const) {
      const key = await addKey(catalog, { customKeyStoreId, clusterId, origin: 'AWS_CLOUDHSM' });
      await catalog.changeKeyState(scope, key.keyId, ['Enabled'], plain(state));
    }
    await addKey(catalog);
    expect(await catalog.countKeysOfStore(customKeyStoreId)).toBe(4);
    expect(await catalog.countKeysOfStore('cks-none')).toBe(0);
  });
}

async function deletingKey(catalog: Catalog) {
  const key = await addKey(catalog);
  const neighbour = await addKey(catalog);
  await catalog.createAlias(aliasFor(key, 'alias/goes'), 50);
  await catalog.createAlias(aliasFor(neighbour, 'alias/stays'), 50);
  await catalog.changeKeyState(scope, key.keyId, ['Enabled'], pending(day(10)));
  await catalog.beginDeletion(scope, key.keyId, day(10));
  return { key, neighbour };
}

async function aliasNames(catalog: Catalog, key: KeyRecord): Promise<string[]> {
  const query = { scope: key, targetKeyId: key.keyId, afterAliasName: undefined, limit: 100 };
  return (await catalog.listAliases(query)).map(({ aliasName }) => aliasName);
}
