import { expect, it } from 'vitest';
import { type Lease, LeaseLostError } from '../../src/coordination/leases.js';
import type { KeyCatalog } from '../../src/keys/catalog.js';
import type { OpenedCatalog } from './catalog.contract.js';
import { addKey, day, intentFor, keyRecord, materialOf, scope } from './catalog-records.js';

const ttlMs = 60_000;
const year = 365 * 24 * 3_600_000;
const disabled = { state: 'Disabled', deletionDate: null, pendingDeletionWindowInDays: null } as const;

function held(lease: Lease | undefined): Lease {
  if (lease === undefined) throw new Error('The lease was not given.');
  return lease;
}

export function leasesContract(opened: () => OpenedCatalog): void {
  const acquire = (holder: string, name = 'a job') => opened().catalog.acquireLease(name, holder, ttlMs);

  it('go to one of several processes that ask at once', async () => {
    const { catalog, another } = opened();
    const rivals = [catalog, await another(), catalog, await another()];
    const leases = await Promise.all(rivals.map((rival, index) => rival.acquireLease('a job', `p${index}`, ttlMs)));
    expect(leases.filter((lease) => lease !== undefined)).toHaveLength(1);
  });

  it('have fences that rise with every acquisition by any holder, even after a release', async () => {
    const { catalog, another } = opened();
    const fences: number[] = [];
    for (const from of [catalog, await another()]) {
      for (const name of ['a job', 'another job', 'a job']) {
        const lease = held(await from.acquireLease(name, 'one', ttlMs));
        fences.push(lease.fence);
        await from.releaseLease(lease);
      }
    }
    expect(fences).toEqual([...fences].sort((a, b) => a - b));
    expect(new Set(fences).size).toBe(fences.length);
  });

  it('are held by name', async () => {
    held(await acquire('one'));
    expect(await acquire('two')).toBeUndefined();
    held(await acquire('two', 'another job'));
  });

  it('are free for others once they expire, and not before', async () => {
    const { passTime, catalog } = opened();
    const first = held(await acquire('one'));
    await passTime(ttlMs - 30_000);
    expect(await acquire('two')).toBeUndefined();
    await passTime(30_000);
    const second = held(await acquire('two'));
    expect(second.fence).toBeGreaterThan(first.fence);
    expect(await catalog.renewLease(first, ttlMs)).toBe(false);
    await catalog.releaseLease(first);
    expect(await acquire('three')).toBeUndefined();
    expect(await catalog.renewLease(second, ttlMs)).toBe(true);
  });

  it('last as long as they are renewed', async () => {
    const { passTime, another } = opened();
    const there = await another();
    const lease = held(await acquire('one'));
    for (let round = 0; round < 5; round++) {
      await passTime(ttlMs - 30_000);
      expect(await there.renewLease(lease, ttlMs)).toBe(true);
      expect(await acquire('two')).toBeUndefined();
    }
    await passTime(ttlMs);
    expect(await there.renewLease(lease, ttlMs)).toBe(false);
  });

  it.each(['renewed', 'acquired anew'])('are never shortened when they are %s', async (how) => {
    const { catalog, passTime } = opened();
    const lease = held(await acquire('one'));
    if (how === 'renewed') expect(await catalog.renewLease(lease, 1)).toBe(true);
    else held(await catalog.acquireLease('a job', 'one', 1));
    await passTime(ttlMs - 30_000);
    expect(await acquire('two')).toBeUndefined();
    await passTime(30_000);
    held(await acquire('two'));
  });

  it('may last a fraction of a millisecond, as deadlines do', async () => {
    const { catalog } = opened();
    const lease = held(await catalog.acquireLease('a job', 'one', ttlMs + 0.25));
    expect(await catalog.renewLease(lease, ttlMs + 0.75)).toBe(true);
  });

  it('are free at once after a release, and no longer held', async () => {
    const { catalog } = opened();
    const first = held(await acquire('one'));
    await catalog.releaseLease(first);
    expect(await catalog.renewLease(first, ttlMs)).toBe(false);
    held(await acquire('two'));
  });

  it('are granted anew to a holder that asks again, and its earlier lease is lost', async () => {
    const { catalog } = opened();
    const [first, second] = [held(await acquire('one')), held(await acquire('one'))];
    expect([await catalog.renewLease(first, ttlMs), await catalog.renewLease(second, ttlMs)]).toEqual([false, true]);
  });

  it.each([year, -year, 5_000, -5_000])('have one holder after a step of the wall clock by %i ms', async (stepMs) => {
    const { catalog, another, stepWallClock, passTime } = opened();
    const there = await another();
    const lease = held(await acquire('one'));
    stepWallClock(stepMs);
    expect(await there.acquireLease('a job', 'two', ttlMs)).toBeUndefined();
    expect(await catalog.renewLease(lease, ttlMs)).toBe(true);
    await passTime(ttlMs);
    held(await there.acquireLease('a job', 'two', ttlMs));
    expect(await catalog.renewLease(lease, ttlMs)).toBe(false);
  });

  it('of processes that died leave nothing behind', async () => {
    const { passTime } = opened();
    for (let process = 0; process < 5; process++) held(await acquire(`p${process}`, `process ${process}`));
    await passTime(ttlMs);
    const leases = [held(await acquire('one'))];
    for (let process = 0; process < 5; process++) leases.push(held(await acquire('one', `process ${process}`)));
    expect(new Set(leases.map(({ fence }) => fence)).size).toBe(6);
  });

  /** Every kind of write that a job makes, each on records for which it would change something. */
  const writes: Record<string, (under: KeyCatalog, prepared: Prepared) => Promise<unknown>> = {
    changeKeyState: (under, { keyId }) => under.changeKeyState(scope, keyId, ['Enabled'], disabled),
    beginDeletion: (under, { pendingId }) => under.beginDeletion(scope, pendingId, day(9)),
    completeDeletion: (under, { deletingId }) => under.completeDeletion(scope, deletingId, day(9)),
    abandonIntentsOpenedBefore: (under) => under.abandonIntentsOpenedBefore(day(9), day(9)),
    markIntentDestroyed: (under, { abandonedId }) => under.markIntentDestroyed(abandonedId),
    openIntent: (under, { prepared }) => under.openIntent(intentFor(prepared)),
    commitKey: (under, { intended }) => under.commitKey(intended, materialOf(intended)),
    reserveEncryptions: (under, { materialId }) => under.reserveEncryptions(materialId, 5),
  };

  it.each(Object.keys(writes))('let their holder write: %s', async (name) => {
    const { catalog } = opened();
    const prepared = await prepare(catalog);
    const before = await stateOf(catalog, prepared);
    await writes[name]?.(catalog.underLease(held(await acquire('one'))), prepared);
    expect(await stateOf(catalog, prepared)).not.toEqual(before);
  });

  it.each(Object.keys(writes))('that were lost allow no write: %s', async (name) => {
    const { catalog, another, passTime } = opened();
    const prepared = await prepare(catalog);
    const before = await stateOf(catalog, prepared);
    const write = (lease: Lease) => writes[name]?.(catalog.underLease(lease), prepared);
    const lease = held(await acquire('one'));
    await passTime(ttlMs);
    await expect(write(lease)).rejects.toBeInstanceOf(LeaseLostError);
    const next = held(await (await another()).acquireLease('a job', 'two', ttlMs));
    await expect(write(lease)).rejects.toBeInstanceOf(LeaseLostError);
    await catalog.releaseLease(next);
    await expect(write(lease)).rejects.toBeInstanceOf(LeaseLostError);
    expect(await stateOf(catalog, prepared)).toEqual(before);
  });

  it('that were lost do not stop reads', async () => {
    const { catalog, passTime } = opened();
    const { keyId } = await addKey(catalog);
    const under = catalog.underLease(held(await acquire('one')));
    await passTime(ttlMs);
    expect((await under.findKey(scope, keyId))?.keyId).toBe(keyId);
  });
}

interface Prepared {
  keyId: string;
  materialId: string;
  pendingId: string;
  deletingId: string;
  abandonedId: string;
  intended: ReturnType<typeof keyRecord>;
  prepared: ReturnType<typeof keyRecord>;
}

async function prepare(catalog: KeyCatalog): Promise<Prepared> {
  const key = await addKey(catalog);
  const due = { deletionDate: day(8), pendingDeletionWindowInDays: 7 };
  const pending = await addKey(catalog, { state: 'PendingDeletion', ...due });
  const deleting = await addKey(catalog, { state: 'Deleting', ...due });
  const [abandoned, intended] = [keyRecord(), keyRecord()];
  await catalog.openIntent(intentFor(abandoned));
  await catalog.abandonIntent(abandoned.currentMaterialId, day(2));
  await catalog.openIntent(intentFor(intended));
  return {
    keyId: key.keyId,
    materialId: key.currentMaterialId,
    pendingId: pending.keyId,
    deletingId: deleting.keyId,
    abandonedId: abandoned.currentMaterialId,
    intended,
    prepared: keyRecord(),
  };
}

/** Everything that the writes can change. */
async function stateOf(catalog: KeyCatalog, of: Prepared): Promise<unknown> {
  const intents = [of.abandonedId, of.intended.currentMaterialId, of.prepared.currentMaterialId];
  return {
    keys: await Promise.all(
      [of.keyId, of.pendingId, of.deletingId, of.intended.keyId].map(async (id) => await catalog.findKey(scope, id)),
    ),
    intents: await Promise.all(intents.map((id) => catalog.findIntent(id))),
    reserved: (await catalog.reserveEncryptions(of.materialId, 1)) > 5,
  };
}
