import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock-system.js';
import { exampleConfiguration } from '../../src/config/example.js';
import { loadConfiguration } from '../../src/config/load.js';
import type { SqliteCatalog } from '../../src/storage/sqlite.js';
import { openTestCatalog } from '../catalog-file.js';
import { holdfast } from './session.js';

let folder: string;
let config: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-logins-'));
  config = join(folder, 'holdfast.yaml');
  writeFileSync(config, exampleConfiguration());
});
afterEach(() => rmSync(folder, { recursive: true }));

const list = (...more: string[]) => holdfast(['login-attempts', 'list', '--config', config, ...more]);
const forget = (...words: string[]) => holdfast(['login-attempts', 'forget', '--config', config, ...words]);

async function onCatalog<T>(work: (catalog: SqliteCatalog) => Promise<T>): Promise<T> {
  const { path } = (await loadConfiguration(config)).catalog;
  const catalog = await openTestCatalog({ path, clock: systemClock });
  try {
    return await work(catalog);
  } finally {
    await catalog.close();
  }
}

const claimant = { processName: 'a process', lockDomain: 'some locks' };
const claim = (token: string) =>
  onCatalog((catalog) => catalog.claim(token, 'cks-1234567890abcdef0:1', claimant, new Date()));
const record = (token: string, outcome: 'succeeded' | 'failed') =>
  onCatalog((catalog) => catalog.record(token, 'cks-1234567890abcdef0:1', claimant, outcome));

describe('holdfast login-attempts', () => {
  test('lists each login and says what it means', async () => {
    for (const token of ['aaaa', 'bbbb', 'cccc']) await claim(token);
    await record('aaaa', 'succeeded');
    await record('bbbb', 'failed');
    const { exitCode, stdout, stderr } = await list();
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const [head, ...lines] = stdout.trim().split('\n');
    expect(head).toMatch(/^token_serial_number +credential_version +state +date +meaning$/);
    expect(lines[0]).toMatch(/^aaaa +cks-1234567890abcdef0:1 +succeeded +20.*Z +the token accepted this credential$/);
    expect(lines[1]).toMatch(/^bbbb .* failed .*it is not tried again until it is changed or forgotten here$/);
    expect(lines[2]).toMatch(/^cccc .* open .*a login is under way, or its process ended first/);
    const json = JSON.parse((await list('--output', 'json')).stdout) as { login_attempts: object[] };
    expect(json.login_attempts).toHaveLength(3);
    expect(json.login_attempts[1]).toMatchObject({ token_serial_number: 'bbbb', state: 'failed' });
  });

  test('reports that there was no login', async () => {
    await onCatalog(() => Promise.resolve());
    expect(await list()).toMatchObject({ exitCode: 0, stdout: 'no login was tried with this catalog\n' });
    expect(JSON.parse((await list('--output', 'json')).stdout)).toEqual({ login_attempts: [] });
  });

  test('forgets the refusals of one token, which then gets one more try', async () => {
    for (const token of ['aaaa', 'bbbb']) {
      await claim(token);
      await record(token, 'failed');
    }
    const { exitCode, stdout } = await forget('bbbb');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^forgot 1 login on token bbbb; .*the token counts a wrong one\n$/);
    expect(await claim('bbbb')).toBe('claimed');
    expect(await claim('aaaa')).toBe('failed');
    expect(JSON.parse((await forget('aaaa', '--output', 'json')).stdout)).toEqual({ forgotten: 1 });
  });

  test('reports an unknown token', async () => {
    await claim('aaaa');
    const { exitCode, stdout, stderr } = await forget('aaa');
    expect([exitCode, stdout]).toEqual([5, '']);
    expect(stderr).toContain('error: NOT_FOUND: no login on a token aaa is recorded\nhint: ');
  });

  test('creates no catalog if there is none', async () => {
    const { path } = (await loadConfiguration(config)).catalog;
    for (const outcome of [await list(), await forget('aaaa')]) {
      expect(outcome).toMatchObject({
        exitCode: 4,
        stderr: expect.stringContaining(`error: CATALOG: There is no catalog at ${path}. For a first start`) as string,
      });
    }
    expect(existsSync(path)).toBe(false);
    config = join(folder, 'missing.yaml');
    const outcome = await list();
    expect(outcome.exitCode).toBe(4);
    expect(outcome.stderr).toContain('error: CONFIGURATION: ');
  });

  test('its help states the risk', async () => {
    const { stdout } = await holdfast(['login-attempts', 'forget', '--help']);
    expect(stdout).toContain('counts one more failed login');
  });
});
