import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSoftHsm, type SoftHsm } from '../softhsm.js';
import { putFaultsBefore } from './fault-hsm.js';
import { addon, failureOf, inMilliseconds, moduleOf, soon } from './fixture.js';

const run = promisify(execFile);
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const addonPath = here('../../native/build/Release/holdfast.node');

let hsm: SoftHsm;
let folder: string;

beforeEach(() => {
  hsm = createSoftHsm({ tokens: [{ label: 'alpha', userPin: '1234' }] });
  folder = mkdtempSync(join(tmpdir(), 'holdfast-lock-'));
});

afterEach(() => {
  hsm.dispose();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs one script of this folder with its job; returns its output and how it ended. */
async function child(script: string, job: object): Promise<{ stdout: string; code: number | string }> {
  const { libraryPath, environment } = hsm;
  const whole = { addon: addonPath, libraryPath, environment, tokenLabel: 'alpha', pin: '1234', ...job };
  try {
    const { stdout } = await run(process.execPath, [here(script), JSON.stringify(whole)], { timeout: 30_000 });
    return { stdout, code: 0 };
  } catch (error) {
    const { stdout, code, signal } = error as { stdout: string; code: number | null; signal: string | null };
    return { stdout, code: code ?? signal ?? 'unknown' };
  }
}

describe('processes', () => {
  test('eight that start together on one token all start up, under the module lock', async () => {
    for (let round = 0; round < 3; round += 1) {
      const job = { lockDirectory: folder, startAt: Date.now() + 400 };
      const results = await Promise.all(Array.from({ length: 8 }, () => child('start-together.mjs', job)));
      expect(results.map(({ stdout }) => JSON.parse(stdout) as unknown)).toEqual(Array(8).fill({ ok: true }));
    }
  });

  test.each(['open', 'working', 'worker', 'unhandled'])('one with an open pool ends quietly: %s', async (how) => {
    const result = await child('ends-with-open-pool.mjs', { how });
    expect(result).toEqual({ stdout: 'ending\n', code: how === 'unhandled' ? 1 : 0 });
  });

  test('one ends by itself once its last operation is answered', async () => {
    expect(await child('ends-with-open-pool.mjs', { how: 'idle' })).toEqual({ stdout: 'ending\nanswered\n', code: 0 });
  });

  test('a worker that ends in the middle of its answers leaves no secret behind', async () => {
    const { stdout } = await child('ends-with-open-pool.mjs', { how: 'worker-in-batch' });
    expect(stdout).toBe('ending\ncode 3, 0 bytes left\n');
  });

  test('one that ends with a hung lane leaves by exitNow', async () => {
    const fault = putFaultsBefore(hsm);
    fault.obey('C_GenerateRandom hang');
    const job = { how: 'hung', control: fault.folder };
    expect(await child('ends-with-open-pool.mjs', job)).toEqual({ stdout: 'ending\n', code: 7 });
  });

  test('core dumps can be switched off', async () => {
    const { stdout } = await child('ends-with-open-pool.mjs', { how: 'no-core' });
    expect(stdout).toMatch(/Max core file size\s+0\s+0/);
  });
});

describe('the module lock', () => {
  test('excludes a second process until it is released, and answers by the deadline', async () => {
    const lock = await addon.acquireModuleLock(moduleOf(hsm), folder, soon());
    const started = inMilliseconds(0);
    const failure = await failureOf(addon.acquireModuleLock(moduleOf(hsm), folder, inMilliseconds(100)));
    expect(failure).toMatchObject({ kind: 'lock-held' });
    expect(inMilliseconds(0) - started).toBeGreaterThan(95);
    const waiting = addon.acquireModuleLock(moduleOf(hsm), folder, soon());
    lock.release();
    lock.release();
    (await waiting).release();
  });

  test('is keyed by the real path', async () => {
    const link = join(folder, 'link.so');
    symlinkSync(hsm.libraryPath, link);
    const lock = await addon.acquireModuleLock(moduleOf(hsm), folder, soon());
    expect(
      await failureOf(addon.acquireModuleLock(moduleOf(hsm, { libraryPath: link }), folder, inMilliseconds(50))),
    ).toMatchObject({ kind: 'lock-held' });
    lock.release();
  });

  test('creates its folder with mode 0700 and refuses one that other users may open or that is a link', async () => {
    const made = join(folder, 'made');
    (await addon.acquireModuleLock(moduleOf(hsm), made, soon())).release();
    expect(statSync(made).mode & 0o777).toBe(0o700);
    const link = join(folder, 'link');
    symlinkSync(made, link);
    expect(await failureOf(addon.acquireModuleLock(moduleOf(hsm), link, soon()))).toMatchObject({ kind: 'lock' });
    chmodSync(made, 0o770);
    expect(await failureOf(addon.acquireModuleLock(moduleOf(hsm), made, soon()))).toMatchObject({ kind: 'lock' });
  });
});
