import { expect, it } from 'vitest';
import type { OpenedCatalog } from './catalog.contract.js';
import { day } from './catalog-records.js';

const token = '0123456789abcdef';
const credential = 'cks-1234567890abcdef0:1';

export function loginAttemptsContract(opened: () => OpenedCatalog): void {
  const claim = () => opened().catalog.claim(token, credential, day(1));
  const record = (outcome: 'succeeded' | 'failed' | 'not-tried') => opened().catalog.record(token, credential, outcome);

  it('grants the first claim, and every one after a success', async () => {
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
    await expect(opened().catalog.reclaim(token, credential, day(2))).rejects.toMatchObject({ code: 'KMS_INTERNAL' });
    expect(await claim()).toBe('failed');
  });

  it('counts each token and each credential by itself', async () => {
    const { catalog } = opened();
    await claim();
    await record('failed');
    expect(await catalog.claim('other token', credential, day(1))).toBe('claimed');
    expect(await catalog.claim(token, 'other credential', day(1))).toBe('claimed');
  });

  it('calls a claim without an outcome interrupted until it is taken over', async () => {
    const { catalog, another } = opened();
    expect(await claim()).toBe('claimed');
    const survivor = await another();
    expect(await survivor.claim(token, credential, day(2))).toBe('interrupted');
    expect(await catalog.claim(token, credential, day(2))).toBe('interrupted');
    await survivor.reclaim(token, credential, day(2));
    expect(await catalog.claim(token, credential, day(2))).toBe('interrupted');
    await survivor.record(token, credential, 'succeeded');
    expect(await catalog.claim(token, credential, day(3))).toBe('claimed');
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
    const outcomes = await Promise.all(rivals.map((rival) => rival.claim(token, credential, day(1))));
    expect(outcomes.sort()).toEqual(['claimed', 'interrupted', 'interrupted', 'interrupted']);
  });

  it('lists its records by token, the latest attempt first', async () => {
    const { catalog } = opened();
    expect(await catalog.listLoginAttempts()).toEqual([]);
    await catalog.claim('b', 'store:1', day(1));
    await catalog.claim('a', 'store:1', day(2));
    await catalog.claim('a', 'store:2', day(3));
    expect(await catalog.listLoginAttempts()).toEqual([
      { tokenSerialNumber: 'a', credentialVersion: 'store:2', state: 'open', date: day(3) },
      { tokenSerialNumber: 'a', credentialVersion: 'store:1', state: 'open', date: day(2) },
      { tokenSerialNumber: 'b', credentialVersion: 'store:1', state: 'open', date: day(1) },
    ]);
    await catalog.record('b', 'store:1', 'failed');
    expect((await catalog.listLoginAttempts()).map(({ state }) => state)).toEqual(['open', 'open', 'failed']);
  });

  it('grants refused credentials of one token, and of no other, again once they are forgotten', async () => {
    const { catalog, another } = opened();
    await claim();
    await record('failed');
    await catalog.claim('other token', credential, day(1));
    expect(await (await another()).forgetLoginAttempts(token)).toBe(1);
    expect(await catalog.forgetLoginAttempts(token)).toBe(0);
    expect(await claim()).toBe('claimed');
    expect(await catalog.claim('other token', credential, day(1))).toBe('interrupted');
  });

  it('records the refusal of an attempt that was forgotten meanwhile', async () => {
    await claim();
    await opened().catalog.forgetLoginAttempts(token);
    await record('failed');
    expect(await claim()).toBe('failed');
  });
}
