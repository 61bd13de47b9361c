import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock-system.js';
import type { SqliteCatalog } from '../../src/storage/sqlite.js';
import { openTestCatalog } from '../catalog-file.js';
import { addKey, scope } from './catalog-records.js';
import type { Command } from './lease-holder.js';

/** Leases between real processes: killed, stopped, and on a full disk. */

const hooks = fileURLToPath(new URL('typescript-hooks.mjs', import.meta.url));
const source = fileURLToPath(new URL('lease-holder.ts', import.meta.url));
/** Short enough to wait for. No other expectation depends on it. */
const ttlMs = 3_000;
const longMs = 600_000;
/** Long enough for three commands on a busy machine, and short enough to wait for its end. */
const diskTtlMs = 20_000;
/** Each process compiles its sources first, which takes a busy machine most of this time. */
const timeout = 240_000;

class Holder {
  readonly process: ChildProcess;

  constructor(path: string, name: string) {
    this.process = fork(source, [path, name], { execArgv: ['--import', hooks] });
  }

  /** The answer to the last command. */
  async answer(): Promise<{ answer?: unknown; error?: string; message?: string }> {
    return ((await once(this.process, 'message')) as [{ answer?: unknown }])[0];
  }

  async obey(command: Command): Promise<unknown> {
    const answered = this.answer();
    this.process.send(command);
    const { answer, error } = await answered;
    return error ?? answer;
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }
}

let folder: string;
let path: string;
let catalog: SqliteCatalog;
let holders: Holder[];
let keyId: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-leases-'));
  path = join(folder, 'catalog.db');
  catalog = await openTestCatalog({ path, clock: systemClock, busyTimeoutMs: 60_000 });
  ({ keyId } = await addKey(catalog));
  holders = [];
});
afterEach(async () => {
  for (const { process } of holders) {
    process.kill('SIGKILL');
    if (process.exitCode === null && process.signalCode === null) await once(process, 'exit');
  }
  await catalog.close();
  rmSync(folder, { recursive: true });
});

async function start(count: number): Promise<Holder[]> {
  holders.push(...Array.from({ length: count }, (_, index) => new Holder(path, `process ${index}`)));
  await Promise.all(holders.map((holder) => holder.answer()));
  return holders;
}

/** Asks until the lease is given. */
async function acquired(holder: Holder): Promise<{ fence: number }> {
  for (;;) {
    const fence = await holder.obey({ do: 'acquire', ttlMs: longMs });
    if (typeof fence === 'number') return { fence };
    await pause(20);
  }
}

const describeKey = (holder: Holder, description: string) => holder.obey({ do: 'describe', keyId, description });
const description = async () => (await catalog.findKey(scope, keyId))?.description;

describe('a lease among processes', () => {
  it('is given to one of several that ask at the same time', { timeout }, async () => {
    const rivals = await start(4);
    const answers = await Promise.all(rivals.map((rival) => rival.obey({ do: 'acquire', ttlMs: longMs })));
    expect(answers.filter((answer) => answer !== null)).toHaveLength(1);
  });

  it('passes to another process when its holder is killed, but not before it has expired', {
    timeout,
  }, async () => {
    const [victim, heir] = (await start(2)) as [Holder, Holder];
    const acquiredAfterMs = systemClock.monotonicMs();
    const fence = (await victim.obey({ do: 'acquire', ttlMs })) as number;
    victim.kill('SIGKILL');
    const next = await acquired(heir);
    expect(next.fence).toBeGreaterThan(fence);
    // Leases count whole milliseconds.
    expect(systemClock.monotonicMs()).toBeGreaterThanOrEqual(acquiredAfterMs + ttlMs - 1);
    expect(await describeKey(heir, 'by the heir')).toBe(true);
  });

  it('refuses the writes of a holder that was stopped past its expiry', { timeout }, async () => {
    const [stopped, heir] = (await start(2)) as [Holder, Holder];
    await stopped.obey({ do: 'acquire', ttlMs });
    stopped.kill('SIGSTOP');
    await acquired(heir);
    expect(await describeKey(heir, 'by the heir')).toBe(true);
    stopped.kill('SIGCONT');
    expect(await describeKey(stopped, 'too late')).toBe('LeaseLostError');
    expect(await stopped.obey({ do: 'renew', ttlMs })).toBe(false);
    expect(await description()).toBe('by the heir');
    expect(await describeKey(heir, 'still by the heir')).toBe(true);
  });

  it('is lost if its renewals meet a full disk, and nothing is written under it', { timeout }, async () => {
    const [full, heir] = (await start(2)) as [Holder, Holder];
    await full.obey({ do: 'acquire', ttlMs: diskTtlMs });
    const limit = (size: string) => execFileSync('prlimit', [`--fsize=${size}:`, '--pid', String(full.process.pid)]);
    limit('4096');
    expect(await full.obey({ do: 'renew', ttlMs: diskTtlMs })).toBe('HoldfastError');
    expect(await describeKey(full, 'on a full disk')).toBe('HoldfastError');
    limit('unlimited');
    expect(await full.obey({ do: 'renew', ttlMs: diskTtlMs })).toBe(true);
    limit('4096');
    await acquired(heir);
    limit('unlimited');
    expect(await describeKey(full, 'too late')).toBe('LeaseLostError');
    expect(await describeKey(heir, 'by the heir')).toBe(true);
    expect(await description()).toBe('by the heir');
  });
});
