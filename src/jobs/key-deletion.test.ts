import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type KeyDomain, openKeyDomain, scope } from '../../test/key-domain.js';
import { cancelKeyDeletion } from '../operations/keys/cancel-key-deletion.js';
import { createAlias } from '../operations/aliases/create-alias.js';
import { createKey } from '../operations/keys/create-key.js';
import type { LeaseTools } from '../coordination/held-lease.js';
import { LeaseLostError } from '../coordination/leases.js';
import { KeyDeletion } from './key-deletion.js';
import { IntentRecovery } from './intent-recovery.js';
import { confirmedRecord, recordAfter } from '../keys/time-record.js';
import { readTime } from './time-watch.js';
import type { KeyRecord } from '../keys/key.js';
import { scheduleKeyDeletion } from '../operations/keys/schedule-key-deletion.js';

const dayMs = 86_400_000;
let domain: KeyDomain;
let deletion: KeyDeletion;
beforeEach(async () => {
  domain = await openKeyDomain();
  deletion = new KeyDeletion({ core: domain.core, ...domain.own });
});
afterEach(async () => {
  await deletion.stop();
  await domain.close();
});

async function pending(key: KeyRecord, pendingWindowInDays: number): Promise<KeyRecord> {
  await scheduleKeyDeletion(domain.core, { key, request: { pendingWindowInDays } });
  return domain.reread(key);
}
const pendingKey = async (where: 'default' | 'custom' = 'default', pendingWindowInDays = 7) =>
  pending(await domain.newKey(where), pendingWindowInDays);
const stateOf = async (key: KeyRecord) => (await domain.reread(key)).state;
const holds = (key: KeyRecord) => domain.defaultCluster.has(key.currentMaterialId);

describe('the deletion of keys', () => {
  it('destroys keys that are due, and none earlier', async () => {
    const named = await domain.newKey();
    await createAlias(domain.core, { key: named, request: { aliasName: 'alias/a' } });
    const key = await pending(named, 7);
    const later = await pendingKey('default', 8);
    const living = await domain.newKey();
    domain.clock.advance(7 * dayMs - 1);
    await deletion.runNow();
    expect([await stateOf(key), holds(key)]).toEqual(['PendingDeletion', true]);
    domain.clock.advance(1);
    await deletion.runNow();
    expect([await stateOf(key), holds(key)]).toEqual(['Deleted', false]);
    expect((await domain.catalog.findMaterial(key.currentMaterialId))?.destroyedDate).toEqual(domain.clock.now());
    expect(await domain.catalog.findAlias(scope, 'alias/a')).toBeUndefined();
    expect([await stateOf(later), holds(later), await stateOf(living), holds(living)]).toEqual([
      'PendingDeletion',
      true,
      'Enabled',
      true,
    ]);
    expect(domain.backgroundErrors).toEqual([]);
  });

  it('cannot be cancelled once the material is being destroyed', async () => {
    const key = await pendingKey();
    domain.clock.advance(7 * dayMs);
    let cancelled: unknown;
    domain.defaultCluster.next('destroyKeyMaterial', async () => {
      cancelled = await cancelKeyDeletion(domain.core, { key }).catch((error: unknown) => error);
    });
    await deletion.runNow();
    expect(cancelled).toMatchObject({ code: 'NOT_FOUND' });
    expect(await stateOf(key)).toBe('Deleted');
  });

  it('spares a key that was cancelled or rescheduled after it was listed', async () => {
    const [first, cancelled, postponed] = [await pendingKey(), await pendingKey(), await pendingKey()];
    domain.clock.advance(7 * dayMs);
    const listed = await domain.catalog.listKeysToDelete(domain.clock.now(), 10);
    domain.core = { ...domain.core, catalog: { ...domain.catalog, listKeysToDelete: () => Promise.resolve(listed) } };
    await cancelKeyDeletion(domain.core, { key: cancelled });
    await cancelKeyDeletion(domain.core, { key: postponed });
    await scheduleKeyDeletion(domain.core, { key: await domain.reread(postponed), request: {} });
    await new KeyDeletion({ core: domain.core, ...domain.own }).runNow();
    expect([await stateOf(first), await stateOf(cancelled), await stateOf(postponed)]).toEqual([
      'Deleted',
      'Disabled',
      'PendingDeletion',
    ]);
    expect([holds(first), holds(cancelled), holds(postponed)]).toEqual([false, true, true]);
  });

  it('leaves the keys of a disconnected cluster for another round, and delays no other', async () => {
    const waiting: KeyRecord[] = [];
    for (let index = 0; index < 101; index += 1) waiting.push(await pendingKey('custom'));
    domain.clock.advance(1);
    const key = await pendingKey();
    await domain.keyStores.setConnection('DISCONNECTED');
    domain.clock.advance(8 * dayMs);
    await deletion.runNow();
    expect(await stateOf(key)).toBe('Deleted');
    expect(new Set(await Promise.all(waiting.map(stateOf)))).toEqual(new Set(['PendingDeletion']));
    await domain.keyStores.setConnection('CONNECTED');
    await deletion.runNow();
    expect(new Set(await Promise.all(waiting.map(stateOf)))).toEqual(new Set(['Deleted']));
  });

  it('resumes failed and half-done deletions, and goes on with the others', async () => {
    const [failing, other] = [await pendingKey(), await pendingKey()];
    domain.clock.advance(7 * dayMs);
    domain.defaultCluster.next('destroyKeyMaterial', () => Promise.reject(new Error('the HSM')));
    await deletion.runNow();
    expect([await stateOf(failing), await stateOf(other)].sort()).toEqual(['Deleted', 'Deleting']);
    expect(domain.backgroundErrors).toMatchObject([
      { error: { message: 'the HSM' }, what: expect.stringContaining('key/') as string },
    ]);
    await deletion.runNow();
    expect([await stateOf(failing), await stateOf(other)]).toEqual(['Deleted', 'Deleted']);
  });

  it('runs each minute until it is stopped, and reports when the catalog fails', async () => {
    let failing = true;
    const listKeysToDelete = () => (failing ? Promise.reject(new Error('the disk')) : Promise.resolve([]));
    let rounds = 0;
    const core = {
      ...domain.core,
      catalog: { ...domain.catalog, listKeysToDelete: () => ((rounds += 1), listKeysToDelete()) },
    };
    const minutely = new KeyDeletion({ core, ...domain.own });
    minutely.start();
    await minutely.runNow();
    expect([rounds, domain.backgroundErrors]).toMatchObject([1, [{ error: { message: 'the disk' } }]]);
    failing = false;
    domain.clock.advance(59_999);
    expect(rounds).toBe(1);
    domain.clock.advance(1);
    await minutely.runNow();
    expect([rounds, domain.backgroundErrors.length]).toEqual([2, 1]);
    await minutely.stop();
    domain.clock.advance(60_000);
    await minutely.runNow();
    expect([rounds, domain.clock.scheduled]).toEqual([2, 0]);
  });

  it('never runs two rounds at once, and stops between two keys', async () => {
    const [first, second] = [await pendingKey(), await pendingKey()];
    domain.clock.advance(7 * dayMs);
    let stopped: Promise<void> | undefined;
    domain.defaultCluster.next('destroyKeyMaterial', () => void (stopped = deletion.stop()));
    await Promise.all([deletion.runNow(), deletion.runNow(), deletion.runNow()]);
    await stopped;
    expect(domain.defaultCluster.calls.filter((call) => call === 'destroyKeyMaterial')).toHaveLength(1);
    expect([await stateOf(first), await stateOf(second)].sort()).toEqual(['Deleted', 'PendingDeletion']);
  });
});

describe('several processes', () => {
  /** Another process on the same catalog and HSM. */
  const another = (change: Partial<LeaseTools> = {}): KeyDeletion =>
    new KeyDeletion({
      core: domain.core,
      ...domain.own,
      leases: { ...domain.own.leases, holder: 'another', ...change },
    });
  const acts = () => domain.auditEvents.map(({ operation, outcome }) => `${operation} ${outcome}`);

  it('delete each key once, even if all check at the same time', async () => {
    const key = await pendingKey();
    domain.clock.advance(7 * dayMs);
    const processes = ['b', 'c', 'd'].map((holder) => another({ holder }));
    await Promise.all([deletion, ...processes].map((process) => process.runNow()));
    await processes[0]?.runNow();
    expect(await stateOf(key)).toBe('Deleted');
    expect(acts()).toEqual(['DeleteKey started', 'DeleteKey success']);
    expect(domain.backgroundErrors).toEqual([]);
  });

  it('take over from one that hangs past its lease; its late write is refused', async () => {
    const key = await pendingKey();
    domain.clock.advance(7 * dayMs);
    const tooLate: string[] = [];
    domain.defaultCluster.next('destroyKeyMaterial', async () => {
      // Like a process that is stopped in the call: its renewals do not run.
      domain.clock.advance(30_000);
      await another().runNow();
      tooLate.push(await stateOf(key));
    });
    await new KeyDeletion({ core: domain.core, ...domain.own, destroyTimeoutMs: 60_000 }).runNow();
    expect(tooLate).toEqual(['Deleted']);
    expect(domain.backgroundErrors).toMatchObject([{ error: expect.any(LeaseLostError) as Error }]);
    expect(acts()).toEqual(['DeleteKey started', 'DeleteKey started', 'DeleteKey success', 'DeleteKey success']);
  });

  it('destroy nothing once the lease is lost', async () => {
    const [first, second] = [await pendingKey(), await pendingKey()];
    domain.clock.advance(7 * dayMs);
    const timeWatch = {
      verifiedNow: async () => {
        const now = await domain.own.timeWatch.verifiedNow();
        domain.clock.advance(15_001);
        return now;
      },
    };
    const renewLease = () => Promise.reject(new Error('the disk'));
    const leases = { ...domain.own.leases, leases: { ...domain.catalog, renewLease } };
    await new KeyDeletion({ core: domain.core, ...domain.own, timeWatch, leases }).runNow();
    expect([await stateOf(first), await stateOf(second)]).toEqual(['PendingDeletion', 'PendingDeletion']);
    expect(domain.defaultCluster.calls).not.toContain('destroyKeyMaterial');
    expect(domain.backgroundErrors).toMatchObject([{ error: expect.any(LeaseLostError) as Error }]);
  });
});

describe('a destruction by the service', () => {
  const outcomes = () => domain.auditEvents.map(({ operation, outcome }) => `${operation} ${outcome}`);

  it('is recorded before it begins, and again with its outcome', async () => {
    const key = await pendingKey();
    domain.clock.advance(7 * dayMs);
    let before: unknown;
    domain.defaultCluster.next('destroyKeyMaterial', () => void (before = structuredClone(domain.auditEvents)));
    await deletion.runNow();
    expect(before).toMatchObject([{ operation: 'DeleteKey', outcome: 'started' }]);
    const common = {
      face: 'service',
      principal: 'holdfast.internal',
      sourceAddress: 'internal',
      resources: [`arn:aws:kms:eu-central-1:111122223333:key/${key.keyId}`],
      parameters: {
        cluster_id: key.clusterId,
        material_ids: [key.currentMaterialId],
        deletion_date: key.deletionDate?.toISOString(),
      },
      requestId: domain.auditEvents[0]?.requestId,
    };
    expect(domain.auditEvents).toMatchObject([
      { ...common, outcome: 'started', errorCode: null },
      { ...common, outcome: 'success', errorCode: null },
    ]);
  });

  it('does not begin, and can be cancelled, while no record can be written; no key is tried after the first', async () => {
    const [key, other] = [await pendingKey(), await pendingKey()];
    domain.clock.advance(7 * dayMs);
    domain.auditFailure.error = new Error('the disk is full');
    await deletion.runNow();
    expect([await stateOf(key), holds(key), await stateOf(other), holds(other)]).toEqual([
      'PendingDeletion',
      true,
      'PendingDeletion',
      true,
    ]);
    expect(domain.backgroundErrors).toHaveLength(1);
    expect(domain.backgroundErrors).toMatchObject([
      { error: { message: expect.stringContaining('nothing was done') as string } },
    ]);
    await cancelKeyDeletion(domain.core, { key: await domain.reread(key) });
    domain.auditFailure.error = undefined;
    await deletion.runNow();
    expect([await stateOf(key), holds(key), await stateOf(other)]).toEqual(['Disabled', true, 'Deleted']);
  });

  it('is resumed until its outcome is recorded', async () => {
    const key = await pendingKey();
    domain.clock.advance(7 * dayMs);
    domain.defaultCluster.next('destroyKeyMaterial', () => void (domain.auditFailure.error = new Error('the disk')));
    await deletion.runNow();
    expect([await stateOf(key), outcomes()]).toEqual(['Deleting', ['DeleteKey started']]);
    domain.auditFailure.error = undefined;
    await deletion.runNow();
    expect([await stateOf(key), outcomes().at(-1)]).toEqual(['Deleted', 'DeleteKey success']);
  });

  it('is recorded as failed when the HSM fails', async () => {
    await pendingKey();
    domain.clock.advance(7 * dayMs);
    domain.defaultCluster.next('destroyKeyMaterial', () => Promise.reject(new Error('the HSM')));
    await deletion.runNow();
    expect(domain.auditEvents.at(-1)).toMatchObject({ outcome: 'failed', errorCode: 'KMS_INTERNAL' });
  });
});

describe('a clock that jumps', () => {
  it.each([
    ['forwards', 30 * dayMs, 'clock-forward'],
    ['forwards by ten minutes', 10 * 60_000, 'clock-forward'],
    ['backwards', -30 * dayMs, 'clock-backward'],
  ])('%s destroys nothing until an operator confirms, even when the date arrives', async (_, byMs, reason) => {
    const key = await pendingKey();
    await deletion.runNow();
    domain.clock.stepWall(byMs);
    await deletion.runNow();
    domain.clock.advance(60 * dayMs);
    await deletion.runNow();
    await deletion.runNow();
    expect([await stateOf(key), holds(key)]).toEqual(['PendingDeletion', true]);
    expect(domain.holds).toMatchObject([null, { reason }]);
    expect(domain.auditEvents).toMatchObject([
      { operation: 'HoldDeletions', outcome: 'success', principal: 'holdfast.internal', parameters: { reason } },
    ]);
    await domain.catalog.changeTimeRecord(() => confirmedRecord(readTime(domain.clock)));
    await deletion.runNow();
    expect([await stateOf(key), holds(key)]).toEqual(['Deleted', false]);
    expect(domain.holds.at(-1)).toBeNull();
  });

  it('also holds the clean-up of half-made keys, and keys that a round has listed', async () => {
    const [first, second] = [await pendingKey(), await pendingKey()];
    await deletion.runNow();
    domain.clock.advance(7 * dayMs);
    domain.defaultCluster.next('destroyKeyMaterial', () => domain.clock.stepWall(dayMs));
    await deletion.runNow();
    expect([await stateOf(first), await stateOf(second)].sort()).toEqual(['Deleted', 'PendingDeletion']);
    const recovery = new IntentRecovery({ core: domain.core, ...domain.own, onUnaccountedMaterial: () => undefined });
    domain.defaultCluster.next('generateKeyMaterial', () => Promise.reject(new Error('the HSM')), 'after');
    await createKey(domain.core, { request: {} }, domain.context()).catch(() => undefined);
    domain.clock.advance(dayMs);
    const before = domain.defaultCluster.calls.length;
    await recovery.runNow();
    expect(domain.defaultCluster.calls).toHaveLength(before);
  });

  it('is held by the process that sees it, and no other begins a deletion', async () => {
    const key = await pendingKey();
    await deletion.runNow();
    domain.clock.advance(7 * dayMs);
    const now = domain.clock.now();
    const elsewhere = { date: new Date(now.getTime() + dayMs), ...domain.clock.boot() };
    await domain.catalog.changeTimeRecord((known) => recordAfter(known, elsewhere));
    expect(await domain.catalog.beginDeletion(key, key.keyId, now)).toBe(false);
    await deletion.runNow();
    expect(await stateOf(key)).toBe('PendingDeletion');
    expect(domain.holds).toMatchObject([null, { reason: 'clock-forward' }]);
  });

  it('holds deletions even if the hold cannot be recorded', async () => {
    const key = await pendingKey();
    await deletion.runNow();
    domain.clock.stepWall(30 * dayMs);
    domain.auditFailure.error = new Error('the disk');
    await deletion.runNow();
    domain.auditFailure.error = undefined;
    await deletion.runNow();
    expect([await stateOf(key), holds(key)]).toEqual(['PendingDeletion', true]);
    expect(domain.backgroundErrors).toMatchObject([{ what: 'recording that deletions are held' }]);
  });
});
