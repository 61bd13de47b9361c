/** Waiting work is bounded, however much is posted, even to a member that hangs. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { NativeFailure } from '../../src/hsm/native.js';
import type { PromisePool } from './promise-pool.js';
import { createSoftHsm, type SoftHsm } from '../softhsm.js';
import { type FaultHsm, putFaultsBefore } from './fault-hsm.js';
import { addon, connect, memberOptions, soon } from './fixture.js';

const pin = '1234';
const queueLimit = 1_000;
const posted = 50_000;
let hsm: SoftHsm;
let fault: FaultHsm;
let pool: PromisePool;

beforeEach(() => {
  hsm = createSoftHsm({ tokens: [{ label: 'alpha', userPin: pin }] });
  fault = putFaultsBefore(hsm);
  pool = addon.createPool(queueLimit);
});

afterEach(async () => {
  fault.heal();
  expect(await pool.close(soon())).toBe(0);
  hsm.dispose();
});

test.each(['to any member', 'to a member by name'])('50,000 operations posted %s that hangs', async (to) => {
  const member = await connect(pool, memberOptions(fault.module, 'alpha'), pin);
  fault.obey('C_GenerateRandom hang');
  const outcomes = new Map<string, number>();
  const note = (outcome: string): void => void outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  let settled = 0;
  const before = process.memoryUsage().rss;
  const work = Array.from({ length: posted }, () =>
    pool
      .random(to === 'to any member' ? null : member, 32, soon())
      .then(
        () => note('done'),
        (error: unknown) => note((error as NativeFailure).kind),
      )
      .finally(() => (settled += 1)),
  );
  // The two lanes hang, the queue is full, and all others get their answer at once, while the calls still hang.
  while (settled < posted - queueLimit - 2) await new Promise((resolve) => setImmediate(resolve));
  expect(outcomes).toEqual(new Map([['queue-full', posted - queueLimit - 2]]));
  expect(pool.statistics()[0]).toMatchObject({ queued: queueLimit, running: 2, quarantinedLanes: 0 });
  expect(process.memoryUsage().rss - before).toBeLessThan(300 * 1_048_576);
  fault.heal();
  await Promise.all(work);
  expect(outcomes.get('done')).toBe(queueLimit + 2);
  expect(pool.statistics()[0]).toMatchObject({ queued: 0, running: 0 });
});

test('work for a hanging member leaves room for the other', async () => {
  const other = createSoftHsm({ tokens: [{ label: 'beta', userPin: pin }] });
  try {
    const hung = await connect(pool, memberOptions(fault.module, 'alpha'), pin);
    const module = { ...fault.module, libraryPath: other.libraryPath, environment: other.environment };
    const healthy = await connect(pool, memberOptions(module, 'beta'), pin);
    fault.obey('C_GenerateRandom hang');
    const stuck = Promise.allSettled(Array.from({ length: 2 * queueLimit }, () => pool.random(hung, 32, soon())));
    expect(pool.statistics()[0]?.queued).toBe(queueLimit / 2);
    expect((await pool.random(healthy, 32, soon())).value).toHaveLength(32);
    fault.heal();
    const refused = (await stuck).filter((end) => end.status === 'rejected');
    expect(refused.length).toBeGreaterThanOrEqual(queueLimit);
    for (const { reason } of refused) expect(reason).toMatchObject({ kind: 'queue-full' });
  } finally {
    await pool.close(soon());
    other.dispose();
  }
  pool = addon.createPool(queueLimit);
});
