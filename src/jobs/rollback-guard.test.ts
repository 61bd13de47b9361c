import { afterEach, beforeEach, expect, it } from 'vitest';
import { type KeyDomain, openKeyDomain } from '../../test/key-domain.js';
import type { Witness } from '../clusters/witness.js';
import { RollbackGuard, type RollbackGuardOptions } from './rollback-guard.js';

let domain: KeyDomain;
let unwitnessed: string[];
beforeEach(async () => {
  domain = await openKeyDomain();
  unwitnessed = [];
});
afterEach(() => domain.close());

function guard(change: Partial<RollbackGuardOptions> = {}): RollbackGuard {
  const { catalog, clock, core, own } = domain;
  return new RollbackGuard({
    ...{ catalog, clock, audit: own.audit, onBackgroundError: core.onBackgroundError, acceptsRollback: false },
    onUnwitnessed: ({ memberName }) => void unwitnessed.push(memberName),
    ...change,
  });
}

const member = (memberName: string) => ({ clusterId: domain.defaultCluster.clusterId, memberName });

async function witness(change: Partial<Witness> = {}): Promise<Witness> {
  const { incarnationId, epoch } = await domain.catalog.readEpoch();
  const epochDate = (await domain.catalog.findEpochDate(epoch)) ?? new Date(0);
  return { incarnationId, epoch, epochDate, deployment: 'aws:eu-central-1:111122223333', ...change };
}

const raise = () => domain.catalog.raiseEpoch(domain.clock.now(), 0);

it('a witness that another process has just written is no rollback', async () => {
  await domain.newKey();
  const before = await raise();
  // It is read; meanwhile another process raises the epoch and writes again.
  const read = await witness();
  await domain.newKey();
  await raise();
  expect(await guard().judge(member('a'), [read])).toBeUndefined();
  expect(await guard().judge(member('b'), [await witness()])).toBeUndefined();
  expect((await domain.catalog.readEpoch()).epoch).toBe(before.epoch + 1);
  expect(unwitnessed).toEqual(['a']);
});

it.each<[string, (present: Witness) => Witness[]]>([
  ['none', () => []],
  ['an older one', (present) => [{ ...present, epoch: present.epoch - 1 }]],
  ['two of them', (present) => [present, { ...present, epoch: present.epoch - 1 }]],
])('a member with %s is given the present one, and refuses nothing', async (_, found) => {
  await domain.newKey();
  await raise();
  expect(await guard().judge(member('a'), found(await witness()))).toBeUndefined();
  expect(unwitnessed).toEqual(['a']);
});

it('the highest of several witnesses counts', async () => {
  await domain.newKey();
  await raise();
  const present = await witness();
  const found = [present, { ...present, epoch: present.epoch + 1 }];
  expect(await guard().judge(member('a'), found)).toContain('so it was rolled back');
});

it('a copy that has gone another way is refused, however far it has come', async () => {
  await domain.newKey();
  await raise();
  const elsewhere = await witness({ epochDate: new Date(1) });
  for (let epochs = 0; epochs < 3; epochs += 1) {
    await domain.newKey();
    await raise();
  }
  expect(await guard().judge(member('a'), [elsewhere])).toContain('so it was rolled back');
});

it('one rollback is accepted, for all members that show it, and not a second one', async () => {
  await domain.newKey();
  await raise();
  const newer = await witness({ epoch: 90 });
  const accepting = guard({ acceptsRollback: true });
  const judged = await Promise.all(['a', 'b', 'c'].map((name) => accepting.judge(member(name), [newer])));
  expect(judged).toEqual([undefined, undefined, undefined]);
  expect(domain.auditEvents.map(({ operation, outcome }) => `${operation} ${outcome}`)).toEqual([
    'AcceptRollback started',
    'AcceptRollback success',
  ]);
  const { incarnationId, predecessorIds } = await domain.catalog.readEpoch();
  expect(predecessorIds).toEqual([newer.incarnationId]);
  expect(incarnationId).not.toBe(newer.incarnationId);
  expect((await domain.catalog.findTimeRecord())?.hold?.reason).toBe('restored');
  expect(await accepting.judge(member('d'), [await witness({ epoch: 2 ** 48 })])).toContain('was rolled back');
});

it('nothing is accepted that cannot be audited', async () => {
  domain.auditFailure.error = new Error('the disk is full');
  const found = [await witness({ epoch: 9 })];
  await expect(guard({ acceptsRollback: true }).judge(member('a'), found)).rejects.toThrow();
  expect((await domain.catalog.readEpoch()).predecessorIds).toEqual([]);
});

it('what one process finds stops the others, until it is accepted', async () => {
  const foreign = await witness({ incarnationId: 'f'.repeat(32), deployment: 'else\u0007where' });
  const message = await guard().judge(member('a'), [foreign]);
  expect(message).toContain('by another catalog');
  // Whoever wrote it chose the name.
  expect(message).toContain(String.raw`else\u0007where`);
  const other = guard();
  expect(await other.lookForFinding()).toBe(message);
  expect(await other.rolledBack).toBe(message);
  const accepting = guard({ acceptsRollback: true });
  expect(await accepting.lookForFinding()).toBeUndefined();
  expect(await accepting.judge(member('a'), [foreign])).toBeUndefined();
  expect(await guard().lookForFinding()).toBeUndefined();
});

it('a finding that cannot be recorded stops this process anyway', async () => {
  const catalog = { ...domain.catalog, recordRollback: () => Promise.reject(new Error('the disk is full')) };
  const one = guard({ catalog });
  expect(await one.judge(member('a'), [await witness({ epoch: 9 })])).toContain('was rolled back');
  expect(await one.rolledBack).toContain('was rolled back');
  expect(domain.backgroundErrors).toHaveLength(1);
});

it('one acceptance takes all that a member shows', async () => {
  const found = [await witness({ incarnationId: 'e'.repeat(32) }), await witness({ incarnationId: 'f'.repeat(32) })];
  const accepting = guard({ acceptsRollback: true });
  expect(await accepting.judge(member('a'), found)).toBeUndefined();
  expect((await domain.catalog.readEpoch()).predecessorIds).toEqual(
    expect.arrayContaining(['e'.repeat(32), 'f'.repeat(32)]),
  );
  expect(await guard().judge(member('b'), found)).toBeUndefined();
});

it('a restored catalog takes over from whatever its members show, and its counts rise no further', async () => {
  const { currentMaterialId } = await domain.newKey();
  const before = await domain.catalog.reserveEncryptions(currentMaterialId, 10);
  const { incarnationId } = await domain.catalog.readEpoch();
  const taking = guard({ takesOver: ({ incarnationId: id }) => id !== '9'.repeat(32) });
  for (const [index, id] of ['d', 'e', 'f'].entries())
    expect(
      await taking.judge(member(`member-${index}`), [await witness({ incarnationId: id.repeat(32) })]),
    ).toBeUndefined();
  const { incarnationId: after, predecessorIds } = await domain.catalog.readEpoch();
  expect([after, predecessorIds.length]).toEqual([incarnationId, 3]);
  expect(await domain.catalog.reserveEncryptions(currentMaterialId, 1)).toBe(before + 1);
  const later = await witness({ incarnationId: '9'.repeat(32) });
  expect(await taking.judge(member('later'), [await witness({ incarnationId: '8'.repeat(32) }), later])).toContain(
    'by another catalog',
  );
  expect((await domain.catalog.readEpoch()).predecessorIds).toHaveLength(3);
  // Taking over clears no finding.
  expect(await taking.judge(member('b'), [await witness({ incarnationId: 'a'.repeat(32) })])).toBeUndefined();
  expect(await domain.catalog.findRollback()).toBeDefined();
  // A later state of itself shows that it was used since: that is no restore.
  expect(await taking.judge(member('a'), [await witness({ epoch: 2 ** 48 })])).toContain('was rolled back');
});
