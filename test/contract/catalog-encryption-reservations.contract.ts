import { expect, it } from 'vitest';
import type { OpenedCatalog } from './catalog.contract.js';
import { addKey, day, hex, scope } from './catalog-records.js';

export function encryptionReservationsContract(opened: () => OpenedCatalog): void {
  it('adds up the reservations of each material separately', async () => {
    const { catalog, another } = opened();
    const [one, two] = [await addKey(catalog), await addKey(catalog)];
    expect(await catalog.reserveEncryptions(one.currentMaterialId, 65_536)).toBe(65_536);
    expect(await catalog.reserveEncryptions(one.currentMaterialId, 1)).toBe(65_537);
    expect(await (await another()).reserveEncryptions(one.currentMaterialId, 2 ** 40)).toBe(65_537 + 2 ** 40);
    expect(await catalog.reserveEncryptions(two.currentMaterialId, 3)).toBe(3);
  });

  it('never gives the same encryptions to two concurrent callers', async () => {
    const { catalog, another } = opened();
    const { currentMaterialId } = await addKey(catalog);
    const rivals = [catalog, await another(), await another()];
    const counts = Array.from({ length: 60 }, (_, index) => 1 + (index % 7));
    const reserved = await Promise.all(
      counts.map(async (count, index) => {
        const end = await rivals[index % rivals.length]?.reserveEncryptions(currentMaterialId, count);
        return { start: (end ?? 0) - count, end: end ?? 0 };
      }),
    );
    reserved.sort((one, other) => one.start - other.start);
    expect(reserved[0]?.start).toBe(0);
    for (const [index, range] of reserved.slice(1).entries()) expect(range.start).toBe(reserved[index]?.end);
  });

  it('refuses a material that it does not have, or that is destroyed', async () => {
    const { catalog } = opened();
    await expect(catalog.reserveEncryptions(hex(32), 1)).rejects.toMatchObject({ code: 'KMS_INTERNAL' });
    const key = await addKey(catalog, { state: 'Deleting', deletionDate: day(5), pendingDeletionWindowInDays: 7 });
    await catalog.reserveEncryptions(key.currentMaterialId, 1);
    await catalog.completeDeletion(scope, key.keyId, day(6));
    await expect(catalog.reserveEncryptions(key.currentMaterialId, 1)).rejects.toMatchObject({ code: 'KMS_INTERNAL' });
  });

  it('does not change keys and materials', async () => {
    const { catalog } = opened();
    const key = await addKey(catalog);
    const before = await catalog.findMaterial(key.currentMaterialId);
    await catalog.reserveEncryptions(key.currentMaterialId, 1);
    expect(await catalog.findMaterial(key.currentMaterialId)).toEqual(before);
    expect(await catalog.findKey(scope, key.keyId)).toEqual(key);
  });
}
