import { expect, it } from 'vitest';
import { Presence, presenceTtlMs } from '../../src/coordination/presence.js';
import type { Claimant, LoginAttempts } from '../../src/keystores/catalog.js';
import type { OpenedCatalog } from './catalog.contract.js';
import { day } from './catalog-records.js';

const token = '0123456789abcdef';
const credential = 'cks-1234567890abcdef0:1';
const local = { processName: 'local', lockDomain: 'one host' };
/** A process that shares its locks with `local`. */
const neighbour = { processName: 'neighbour', lockDomain: 'one host' };
/** A process that shares locks with neither. */
const remote = { processName: 'remote', lockDomain: 'another host' };

export function loginAttemptsContract(opened: () => OpenedCatalog): void {
  const claim = () => opened().catalog.claim(token, credential, local, day(1));
  const record = (outcome: 'succeeded' | 'failed' | 'not-tried') =>
    opened().catalog.record(token, credential, local, outcome);

  it('grants the first claim, and every claim after a success', async () => {
    expect(await claim()).toBe('claimed');
    await record('succeeded');
    expect(await claim()).toBe('claimed');
    await record('succeeded');
    expect(await claim()).toBe('claimed');
  });

  it('never grants a refused credential again', async () => {
    expect(await claim()).toBe('claimed');
    await record('failed');
    expect(await claim()).toBe('failed');
    await record('succeeded');
    await record('not-tried');
    expect(await claim()).toBe('failed');
    expect(await opened().catalog.reclaim(token, credential, local, day(2))).toBe('failed');
    expect(await claim()).toBe('failed');
  });

  it('counts each token and each credential by itself', async () => {
    const { catalog } = opened();
    await claim();
    await record('failed');
    expect(await catalog.claim('other token', credential, local, day(1))).toBe('claimed');
    expect(await catalog.claim(token, 'other credential', local, day(1))).toBe('claimed');
  });

  it('calls a claim without an outcome interrupted until it is taken over', async () => {
    const { catalog, another } = opened();
    expect(await claim()).toBe('claimed');
    const survivor = await another();
    expect(await survivor.claim(token, credential, neighbour, day(2))).toBe('interrupted');
    expect(await catalog.claim(token, credential, local, day(2))).toBe('interrupted');
    expect(await survivor.reclaim(token, credential, neighbour, day(2))).toBe('claimed');
    expect(await catalog.claim(token, credential, local, day(2))).toBe('interrupted');
    await survivor.record(token, credential, neighbour, 'succeeded');
    expect(await catalog.claim(token, credential, local, day(3))).toBe('claimed');
  });

  it('releases a claim that was not tried', async () => {
    expect(await claim()).toBe('claimed');
    await record('not-tried');
    expect(await claim()).toBe('claimed');
  });

  it('is open again after a claim that follows a success', async () => {
    await claim();
    await record('succeeded');
    await claim();
    expect(await claim()).toBe('interrupted');
  });

  it('accepts a late refusal, whatever was recorded since', async () => {
    await claim();
    await record('succeeded');
    await record('failed');
    expect(await claim()).toBe('failed');
  });

  it('grants a claim to one of several concurrent callers', async () => {
    const { catalog, another } = opened();
    const rivals = [catalog, await another(), catalog, await another()];
    const outcomes = await Promise.all(rivals.map((rival) => rival.claim(token, credential, local, day(1))));
    expect(outcomes.sort()).toEqual(['claimed', 'interrupted', 'interrupted', 'interrupted']);
  });

  it('lists its records by token, the latest attempt first', async () => {
    const { catalog } = opened();
    expect(await catalog.listLoginAttempts()).toEqual([]);
    await catalog.claim('b', 'store:1', local, day(1));
    await catalog.claim('a', 'store:1', local, day(2));
    await catalog.claim('a', 'store:2', local, day(3));
    expect(await catalog.listLoginAttempts()).toEqual([
      { tokenSerialNumber: 'a', credentialVersion: 'store:2', state: 'open', date: day(3) },
      { tokenSerialNumber: 'a', credentialVersion: 'store:1', state: 'open', date: day(2) },
      { tokenSerialNumber: 'b', credentialVersion: 'store:1', state: 'open', date: day(1) },
    ]);
    await catalog.record('b', 'store:1', local, 'failed');
    expect((await catalog.listLoginAttempts()).map(({ state }) => state)).toEqual(['open', 'open', 'failed']);
  });

  it('grants refused credentials of one token, and of no other, again once they are forgotten', async () => {
    const { catalog, another } = opened();
    await claim();
    await record('failed');
    await catalog.claim('other token', credential, local, day(1));
    expect(await (await another()).forgetLoginAttempts(token)).toBe(1);
    expect(await catalog.forgetLoginAttempts(token)).toBe(0);
    expect(await claim()).toBe('claimed');
    expect(await catalog.claim('other token', credential, local, day(1))).toBe('interrupted');
  });

  it('records the refusal of an attempt that was forgotten meanwhile', async () => {
    await claim();
    await opened().catalog.forgetLoginAttempts(token);
    await record('failed');
    expect(await claim()).toBe('failed');
  });

  it('leaves a claim to its process while that is alive, if they share no locks', async () => {
    const { catalog, another, passTime } = opened();
    const there = await another();
    const [presence, claimRemotely] = [new Presence(catalog, local.processName), claimAs(there, remote)];
    await presence.beat();
    expect(await claim()).toBe('claimed');
    expect([await claimRemotely('claim'), await claimRemotely('reclaim')]).toEqual(['in-progress', 'in-progress']);
    for (let beats = 0; beats < 5; beats++) {
      await passTime(presenceTtlMs - 1_000);
      expect(await claimRemotely('claim')).toBe('in-progress');
      await presence.beat();
    }
    await passTime(presenceTtlMs);
    expect([await claimRemotely('claim'), await claimRemotely('reclaim')]).toEqual(['interrupted', 'claimed']);
  });

  it('leaves a claim to its process for as long as its login may take, whatever heartbeats come meanwhile', async () => {
    const { catalog, another, passTime } = opened();
    const [presence, claimRemotely] = [new Presence(catalog, local.processName), claimAs(await another(), remote)];
    await Promise.all([presence.beat(3 * presenceTtlMs), presence.beat()]);
    await claim();
    await presence.beat();
    await passTime(2 * presenceTtlMs);
    expect(await claimRemotely('claim')).toBe('in-progress');
    await passTime(presenceTtlMs);
    expect(await claimRemotely('claim')).toBe('interrupted');
  });

  it('is interrupted if its process never showed that it is alive', async () => {
    const { another } = opened();
    await claim();
    expect(await claimAs(await another(), remote)('claim')).toBe('interrupted');
  });

  it('is decided by locks among processes that share them, even if the claimant is alive', async () => {
    const { catalog, another } = opened();
    await new Presence(catalog, local.processName).beat();
    await claim();
    expect(await claimAs(await another(), neighbour)('claim')).toBe('interrupted');
    expect(await claim()).toBe('interrupted');
  });

  it('is taken over by one of several processes, on any host', async () => {
    const { catalog, another } = opened();
    const there = await another();
    await claim();
    const hosts = ['a', 'b', 'c', 'd'].map((name) => ({ processName: name, lockDomain: name }));
    const outcomes = await Promise.all(
      hosts.map(async (host, index) => {
        const from = index % 2 === 0 ? catalog : there;
        await new Presence(from, host.processName).beat();
        return claimAs(from, host)('reclaim');
      }),
    );
    expect(outcomes.sort()).toEqual(['claimed', 'in-progress', 'in-progress', 'in-progress']);
  });

  it.each(['succeeded', 'not-tried'] as const)('is not closed as %s by a claimant that lost it', async (outcome) => {
    const { catalog, another } = opened();
    const there = await another();
    await claim();
    await new Presence(there, remote.processName).beat();
    expect(await claimAs(there, remote)('reclaim')).toBe('claimed');
    await record(outcome);
    expect(await claim()).toBe('in-progress');
    await there.record(token, credential, remote, 'succeeded');
    expect((await catalog.listLoginAttempts()).map(({ state }) => state)).toEqual(['succeeded']);
  });

  it('counts a refusal from a claimant that lost it', async () => {
    const there = await opened().another();
    await claim();
    expect(await claimAs(there, remote)('reclaim')).toBe('claimed');
    await record('failed');
    await there.record(token, credential, remote, 'succeeded');
    expect(await claim()).toBe('failed');
  });
}

function claimAs(catalog: LoginAttempts, claimant: Claimant) {
  return (how: 'claim' | 'reclaim') => catalog[how](token, credential, claimant, day(1));
}
