import { expect, it } from 'vitest';
import type { OpenedCatalog } from './catalog.contract.js';
import { addStore, day, intentFor, keyRecord, materialOf, scope } from './catalog-records.js';

export function intentContract(opened: () => OpenedCatalog): void {
  it('keeps an intent as it was opened', async () => {
    const { catalog } = opened();
    const intent = intentFor(keyRecord());
    await catalog.openIntent(intent);
    expect(await catalog.findIntent(intent.materialId)).toEqual(intent);
    expect(await catalog.findIntent('00'.repeat(32))).toBeUndefined();
  });

  it('refuses two intents for one material', async () => {
    const { catalog } = opened();
    const intent = intentFor(keyRecord());
    await catalog.openIntent(intent);
    await expect(catalog.openIntent(intent)).rejects.toMatchObject({ code: 'KMS_INTERNAL' });
  });

  it('replaces the intent by key and material, once', async () => {
    const { catalog } = opened();
    const key = keyRecord();
    await catalog.openIntent(intentFor(key));
    expect(await catalog.commitKey(key, materialOf(key))).toBe(true);
    expect(await catalog.findIntent(key.currentMaterialId)).toBeUndefined();
    expect(await catalog.commitKey(key, materialOf(key))).toBe(false);
    expect(await catalog.findKey(scope, key.keyId)).toEqual(key);
  });

  it('commits no key without an open intent', async () => {
    const { catalog } = opened();
    const [never, abandoned, destroyed] = [keyRecord(), keyRecord(), keyRecord()];
    await catalog.openIntent(intentFor(abandoned));
    await catalog.abandonIntent(abandoned.currentMaterialId, day(2));
    await catalog.openIntent(intentFor(destroyed));
    await catalog.abandonIntent(destroyed.currentMaterialId, day(2));
    await catalog.markIntentDestroyed(destroyed.currentMaterialId);
    for (const key of [never, abandoned, destroyed]) {
      expect(await catalog.commitKey(key, materialOf(key))).toBe(false);
      expect(await catalog.findKey(scope, key.keyId)).toBeUndefined();
      expect(await catalog.findMaterial(key.currentMaterialId)).toBeUndefined();
    }
    expect(await catalog.findIntent(abandoned.currentMaterialId)).toMatchObject({ state: 'abandoned' });
  });

  it('lets either the commit or the abandonment win, never both', async () => {
    const { catalog, another } = opened();
    const cleaner = await another();
    for (let round = 0; round < 20; round++) {
      const key = keyRecord();
      await catalog.openIntent(intentFor(key));
      const [committed] = await Promise.all([
        catalog.commitKey(key, materialOf(key)),
        cleaner.abandonIntent(key.currentMaterialId, day(2)),
      ]);
      const intent = await catalog.findIntent(key.currentMaterialId);
      expect(intent?.state).toBe(committed ? undefined : 'abandoned');
      expect((await catalog.findKey(scope, key.keyId)) !== undefined).toBe(committed);
    }
  });

  it('changes nothing if a key with this id exists', async () => {
    const { catalog } = opened();
    const first = keyRecord();
    await catalog.openIntent(intentFor(first));
    await catalog.commitKey(first, materialOf(first));
    const second = keyRecord({ keyId: first.keyId });
    await catalog.openIntent(intentFor(second));
    await expect(catalog.commitKey(second, materialOf(second))).rejects.toMatchObject({ code: 'KMS_INTERNAL' });
    expect(await catalog.findIntent(second.currentMaterialId)).toMatchObject({ state: 'open' });
    expect(await catalog.findMaterial(second.currentMaterialId)).toBeUndefined();
  });

  it.each(['DISCONNECTED', 'CONNECTING', 'FAILED', 'DISCONNECTING'] as const)(
    'commits no key of a store that is %s',
    async (connectionState) => {
      const { catalog } = opened();
      const store = await addStore(catalog, { connectionState });
      const key = keyRecord({ customKeyStoreId: store.customKeyStoreId, clusterId: store.clusterId });
      await catalog.openIntent(intentFor(key));
      expect(await catalog.commitKey(key, materialOf(key))).toBe(false);
      expect(await catalog.findIntent(key.currentMaterialId)).toMatchObject({ state: 'open' });
    },
  );

  it('commits a key of a connected store, but not of one that was deleted or has another cluster', async () => {
    const { catalog } = opened();
    const store = await addStore(catalog, { connectionState: 'CONNECTED' });
    const { customKeyStoreId, clusterId } = store;
    const good = keyRecord({ customKeyStoreId, clusterId });
    const moved = keyRecord({ customKeyStoreId, clusterId: 'cluster-elsewhere01' });
    const gone = keyRecord({ customKeyStoreId: 'cks-00000000000000000', clusterId });
    for (const key of [good, moved, gone]) {
      await catalog.openIntent(intentFor(key));
      expect(await catalog.commitKey(key, materialOf(key))).toBe(key === good);
    }
  });

  it('abandons open intents only, and only once', async () => {
    const { catalog } = opened();
    const key = keyRecord();
    await catalog.abandonIntent(key.currentMaterialId, day(2));
    await catalog.openIntent(intentFor(key));
    await catalog.abandonIntent(key.currentMaterialId, day(2));
    await catalog.abandonIntent(key.currentMaterialId, day(9));
    const abandoned = { ...intentFor(key), state: 'abandoned', abandonedDate: day(2) };
    expect(await catalog.findIntent(key.currentMaterialId)).toEqual(abandoned);
  });

  it('abandons and counts the intents opened before a date', async () => {
    const { catalog } = opened();
    const keys = [1, 2, 3, 4].map((number) => ({ key: keyRecord(), number }));
    for (const { key, number } of keys) await catalog.openIntent(intentFor(key, day(number)));
    expect(await catalog.abandonIntentsOpenedBefore(day(3), day(10))).toBe(2);
    expect(await catalog.abandonIntentsOpenedBefore(day(3), day(11))).toBe(0);
    const states = await Promise.all(keys.map(({ key }) => catalog.findIntent(key.currentMaterialId)));
    expect(states.map((intent) => intent?.state)).toEqual(['abandoned', 'abandoned', 'open', 'open']);
  });

  it('lists abandoned intents, the oldest first, until they are marked destroyed', async () => {
    const { catalog } = opened();
    const ids: string[] = [];
    for (const number of [5, 3, 4]) {
      const key = keyRecord();
      ids.push(key.currentMaterialId);
      await catalog.openIntent(intentFor(key));
      await catalog.abandonIntent(key.currentMaterialId, day(number));
    }
    const [fifth = '', third = '', fourth = ''] = ids;
    const listed = async (before: Date, limit = 10) =>
      (await catalog.listAbandonedIntents(before, limit)).map((intent) => intent.materialId);
    expect(await listed(day(9))).toEqual([third, fourth, fifth]);
    expect(await listed(day(9), 2)).toEqual([third, fourth]);
    expect(await listed(day(4))).toEqual([third]);
    await catalog.markIntentDestroyed(third);
    expect(await listed(day(9))).toEqual([fourth, fifth]);
    expect(await catalog.findIntent(third)).toMatchObject({ state: 'destroyed', abandonedDate: day(3) });
  });

  it('marks only abandoned intents as destroyed', async () => {
    const { catalog } = opened();
    const key = keyRecord();
    await catalog.openIntent(intentFor(key));
    await catalog.markIntentDestroyed(key.currentMaterialId);
    expect(await catalog.findIntent(key.currentMaterialId)).toMatchObject({ state: 'open' });
  });
}
