import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type KeyDomain, openKeyDomain } from '../../test/key-domain.js';
import { type HeldLease, type LeaseTools, underLease } from './held-lease.js';
import { LeaseLostError, type Leases } from './leases.js';
import { waitFor } from '../../test/wait-for.js';

const ttlMs = 30_000;
let domain: KeyDomain;
let renewals: boolean[];
/** The catalog's answer to renewals; undefined: it works. */
let failure: Error | undefined;
let one: LeaseTools;
let two: LeaseTools;
beforeEach(async () => {
  domain = await openKeyDomain();
  [renewals, failure] = [[], undefined];
  const leases: Leases = {
    acquireLease: (...of) => domain.catalog.acquireLease(...of),
    releaseLease: (lease) => domain.catalog.releaseLease(lease),
    async renewLease(lease, ms) {
      if (failure !== undefined) throw failure;
      const renewed = await domain.catalog.renewLease(lease, ms);
      renewals.push(renewed);
      return renewed;
    },
  };
  one = { leases, clock: domain.clock, holder: 'one', ttlMs };
  two = { ...one, holder: 'two' };
});
afterEach(() => domain.close());

const isFree = () => underLease(two, 'a job', () => Promise.resolve());

/** Lets a third of the lease's time pass, and the renewal that is due then run to its end. */
async function passThird(): Promise<void> {
  const before = renewals.length;
  domain.clock.advance(ttlMs / 3);
  if (failure === undefined) await waitFor(() => expect(renewals.length).toBe(before + 1));
  await waitFor(() => expect(domain.clock.scheduled).toBe(1));
}

describe('work under a lease', () => {
  it('is done by no other process, however long it takes, until it has ended', async () => {
    const ran = await underLease(one, 'a job', async () => {
      for (let third = 0; third < 10; third++) await passThird();
      expect(await isFree()).toBe(false);
    });
    expect([ran, await isFree(), renewals.every(Boolean), domain.clock.scheduled]).toEqual([true, true, true, 0]);
  });

  it('gives the lease back when it fails, and says how it failed', async () => {
    const failing = underLease(one, 'a job', () => Promise.reject(new Error('the HSM')));
    await expect(failing).rejects.toThrow('the HSM');
    expect([await isFree(), domain.clock.scheduled]).toEqual([true, 0]);
  });

  it('reports its own failure when the lease cannot be given back either', async () => {
    const failing = underLease(one, 'a job', async () => {
      await domain.catalog.close();
      throw new Error('the HSM');
    });
    await expect(failing).rejects.toThrow('the HSM');
    expect(domain.clock.scheduled).toBe(0);
  });

  it('goes on when the catalog fails for a moment', async () => {
    await underLease(one, 'a job', async (held) => {
      failure = new Error('the disk is full');
      await passThird();
      await expect(held.confirm()).rejects.toThrow('the disk is full');
      failure = undefined;
      await passThird();
      await held.confirm();
      await passThird();
      expect(await isFree()).toBe(false);
    });
  });

  it('is refused if the catalog failed until the lease had expired, even before another process takes it', async () => {
    await underLease(one, 'a job', async (held) => {
      failure = new Error('the disk is full');
      for (let third = 0; third < 3; third++) await passThird();
      failure = undefined;
      await expect(held.confirm()).rejects.toBeInstanceOf(LeaseLostError);
      expect(await isFree()).toBe(true);
    });
    expect(domain.clock.scheduled).toBe(0);
  });

  it('does not take its lease back from another process if it hung until the lease expired', async () => {
    let first: HeldLease | undefined;
    await underLease(one, 'a job', async (held) => {
      first = held;
      // Like a stopped process: no renewal runs.
      domain.clock.advance(ttlMs);
      await underLease(two, 'a job', async (next) => {
        await expect(held.confirm()).rejects.toBeInstanceOf(LeaseLostError);
        await held.release();
        await next.confirm();
      });
    });
    expect(first?.lease.name).toBe('a job');
  });

  it('does not begin when the catalog is closed', async () => {
    await domain.catalog.close();
    const ran = underLease(one, 'a job', () => Promise.reject(new Error('it ran')));
    await expect(ran).rejects.toMatchObject({ code: 'KMS_INTERNAL' });
  });
});
