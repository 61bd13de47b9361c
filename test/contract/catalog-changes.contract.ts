import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { type ChangeFeed, maxStalenessMs } from '../../src/coordination/change-feed.js';
import { confirmedRecord } from '../../src/keys/time-record.js';
import type { OpenedCatalog } from './catalog.contract.js';
import { addKey, addStore, aliasFor, day, intentFor, keyRecord, materialOf, scope } from './catalog-records.js';

const disabled = { state: 'Disabled', deletionDate: null, pendingDeletionWindowInDays: null } as const;
/**
 * How long a test on a busy machine waits for a change that must appear in `maxStalenessMs`: the bound itself belongs
 * to the implementation.
 */
const patienceMs = 20 * maxStalenessMs;

async function moves(feed: ChangeFeed, from: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < patienceMs; waitedMs += 5) {
    if ((await feed.position()) !== from) return true;
    await pause(5);
  }
  return false;
}

export function changesContract(opened: () => OpenedCatalog): void {
  it('move at once with a change of this connection, and soon with one of another', async () => {
    const { catalog, another } = opened();
    const there = await another();
    const { keyId } = await addKey(catalog);
    for (const writer of [catalog, there, catalog]) {
      const before = { here: await catalog.changes.position(), there: await there.changes.position() };
      const [{ state } = { state: 'Enabled' as const }] = await catalog.listKeys(scope, undefined, 1);
      const to = state === 'Enabled' ? disabled : ({ ...disabled, state: 'Enabled' } as const);
      expect(await writer.changeKeyState(scope, keyId, [state], to)).toBe(true);
      const own = writer === catalog ? 'here' : 'there';
      expect(await writer.changes.position()).not.toBe(before[own]);
      expect(await moves(catalog.changes, before.here)).toBe(true);
      expect(await moves(there.changes, before.there)).toBe(true);
    }
  });

  it('move with every kind of record', async () => {
    const { catalog, another } = opened();
    const there = await another();
    const one = await addKey(catalog);
    const store = await addStore(catalog);
    const acts: (() => Promise<unknown>)[] = [
      () => catalog.createAlias(aliasFor(one, 'alias/a'), 50),
      () => catalog.updateAlias(scope, 'alias/a', one.keyId, day(5), 50),
      () => catalog.deleteAlias(scope, 'alias/a'),
      () => catalog.changeKeyDescription(scope, one.keyId, ['Enabled'], 'another'),
      () => catalog.changeConnectionState(store.customKeyStoreId, ['DISCONNECTED'], 'CONNECTING', null),
      () => catalog.changeKeyState(scope, one.keyId, ['Enabled'], { ...disabled, state: 'Deleting' }),
      () => catalog.completeDeletion(scope, one.keyId, day(6)),
    ];
    for (const act of acts) {
      const before = { here: await catalog.changes.position(), there: await there.changes.position() };
      await act();
      expect([act.toString(), await catalog.changes.position()]).not.toEqual([act.toString(), before.here]);
      expect([act.toString(), await moves(there.changes, before.there)]).toEqual([act.toString(), true]);
    }
  });

  it('do not move with records that no cache keeps, whichever connection writes them', async () => {
    const { catalog, another } = opened();
    const there = await another();
    const key = await addKey(catalog);
    const claimant = { processName: 'a process', lockDomain: 'some locks' };
    const now = { date: day(1), bootId: 'a boot', sinceBootMs: 1 };
    const before = { here: await catalog.changes.position(), there: await there.changes.position() };
    await catalog.reserveEncryptions(key.currentMaterialId, 1);
    await catalog.changeTimeRecord(() => confirmedRecord(now));
    await catalog.claim('token', 'credential', claimant, day(1));
    await catalog.record('token', 'credential', claimant, 'succeeded');
    await catalog.openIntent(intentFor(keyRecord()));
    expect(await catalog.changeKeyState(scope, key.keyId, ['Disabled'], disabled)).toBe(false);
    await pause(2 * maxStalenessMs);
    expect(await there.changes.position()).toBe(before.there);
    expect(await catalog.changes.position()).toBe(before.here);
  }, 60_000);

  it('miss no change after a rolled-back one, whenever the feed was read', async () => {
    const { catalog, another } = opened();
    const there = await another();
    const taken = materialOf(await addKey(catalog));
    await catalog.openIntent(intentFor(keyRecord({ currentMaterialId: taken.materialId })));
    for (let moment = 0; moment < 120; moment += 3) {
      await there.changeKeyDescription(scope, taken.keyId, ['Enabled'], `before ${moment}`);
      const key = keyRecord();
      await nextTurn();
      // Inserts the key, and is rolled back because its material exists.
      const refused = catalog.commitKey(key, taken).catch(() => 'refused');
      for (let step = 0; step < moment; step++) await Promise.resolve();
      const during = await catalog.changes.position();
      expect(await refused).toBe('refused');
      await there.changeKeyDescription(scope, taken.keyId, ['Enabled'], `after ${moment}`);
      expect([moment, await moves(catalog.changes, during)]).toEqual([moment, true]);
    }
  }, 60_000);
}
