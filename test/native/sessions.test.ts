/** Lanes on a token with limited sessions, like those of most devices. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NativeMemberStatistics } from '../../src/hsm/native-statistics.js';
import type { PromisePool } from './promise-pool.js';
import { createSoftHsm, type SoftHsm } from '../softhsm.js';
import { addon, failureOf, memberOptions, soon, text } from './fixture.js';
import { putVendorBefore, type VendorHsm } from './vendor-hsm.js';

const pin = '1234';
let hsm: SoftHsm;
let vendor: VendorHsm;
let pool: PromisePool;

beforeEach(() => {
  hsm = createSoftHsm({ tokens: [{ label: 'alpha', userPin: pin }] });
  vendor = putVendorBefore(hsm);
  pool = addon.createPool(1_000);
});

afterEach(async () => {
  expect(await pool.close(soon())).toBe(0);
  hsm.dispose();
});

async function connect(laneCount: number): Promise<number> {
  const options = memberOptions(vendor.module, 'alpha', { laneCount, maxQuarantinedLanes: laneCount });
  const { member } = await pool.openMember(options, soon());
  await pool.loginMember(member, text(pin), soon(), null);
  pool.resume(member);
  return member;
}

function statistics(): NativeMemberStatistics {
  const [member] = pool.statistics();
  if (member === undefined) throw new Error('there is no member');
  return member;
}

/** More work than one lane does at a time, until it has settled. */
async function workload(count = 300): Promise<void> {
  await Promise.all(Array.from({ length: count }, () => pool.random(null, 64, soon())));
}

describe('lanes', () => {
  test('start few and grow as work waits, up to their count', async () => {
    await connect(8);
    expect(statistics()).toMatchObject({ lanes: 2, laneTarget: 8 });
    await workload(1);
    expect(statistics().lanes).toBe(2);
    while (statistics().lanes < 8) await workload();
    await workload();
    expect(statistics()).toMatchObject({ lanes: 8, laneTarget: 8, queued: 0 });
  });

  test('count their operations and the time that these take', async () => {
    await connect(2);
    const before = statistics();
    await workload(100);
    const { operations, busyMs } = statistics();
    expect(operations - before.operations).toBe(100);
    expect(busyMs).toBeGreaterThan(before.busyMs);
  });

  test('a member limited to one lane keeps one', async () => {
    await connect(1);
    await workload();
    expect(statistics()).toMatchObject({ lanes: 1, laneTarget: 1 });
  });
});

describe('a token without a session for one more lane', () => {
  test('keeps its lanes, less one, and fails no operation', async () => {
    // One session keeps the login alive, so four lanes fit.
    vendor.limitSessions(5);
    const member = await connect(16);
    while (statistics().laneTarget === 16) await workload();
    await workload();
    expect(statistics()).toMatchObject({ lanes: 3, laneTarget: 3, admitted: true, quarantinedLanes: 0 });
    // The inventory takes the remaining session.
    await pool.inventory(member, soon());
  });

  test('logs in with one lane if the second found no session', async () => {
    vendor.limitSessions(2);
    await connect(4);
    await workload();
    expect(statistics()).toMatchObject({ lanes: 1, laneTarget: 1, admitted: true });
  });

  test('refuses a login if there is none for a single lane', async () => {
    vendor.limitSessions(1);
    const { member } = await pool.openMember(memberOptions(vendor.module, 'alpha'), soon());
    const failure = await failureOf(pool.loginMember(member, text(pin), soon(), null));
    expect(failure).toMatchObject({ kind: 'rv', rv: 0xb1, functionName: 'C_OpenSession', member });
    vendor.limitSessions(10);
    await pool.loginMember(member, text(pin), soon(), null);
    pool.resume(member);
    await workload();
  });

  test('gives up a lane for an inventory if others took the remaining sessions', async () => {
    const member = await connect(4);
    while (statistics().lanes < 4) await workload();
    vendor.limitSessions(5);
    await pool.inventory(member, soon());
    expect(statistics()).toMatchObject({ lanes: 3, laneTarget: 3 });
    await workload();
  });

  test('a lane that cannot open its session again gives its work to the others', async () => {
    const member = await connect(4);
    while (statistics().lanes < 4) await workload();
    vendor.limitSessions(3);
    // A new epoch: every lane closes its session and opens another.
    await pool.loginMember(member, text(pin), soon(), null);
    await workload();
    expect(statistics().lanes).toBeLessThanOrEqual(2);
    expect(statistics()).toMatchObject({ admitted: true, queued: 0 });
  });

  test('reads no inventory if that would take the last lane', async () => {
    vendor.limitSessions(2);
    const member = await connect(4);
    expect(await failureOf(pool.inventory(member, soon()))).toMatchObject({ kind: 'rv', rv: 0xb1 });
    await workload();
  });
});

test('the session counts of C_GetTokenInfo are reported', async () => {
  vendor = putVendorBefore(hsm, { announces: true });
  vendor.limitSessions(12);
  const { token } = await pool.openMember(memberOptions(vendor.module, 'alpha'), soon());
  expect(token).toMatchObject({ maxSessionCount: 12, maxRwSessionCount: null, sessionCount: 0 });
});
