/** Restores where there is a catalog: its own, an empty one, one from before the keys. */
import { copyFileSync, existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { holdfast, type Outcome } from '../cli/session.js';
import { makeArchive } from '../backup/make-archive.js';
import type { Message } from './client.js';
import { WrappedDeployment } from './wrapped-deployment.js';

let on: WrappedDeployment;

beforeEach(async () => {
  on = await WrappedDeployment.make(2);
});
afterEach(() => on.dispose());

const catalogPath = (): string => join(on.deployment.folder, 'catalog.sqlite');

async function makeKeys(count: number): Promise<void> {
  const server = await on.deployment.start();
  try {
    const client = server.client();
    await server.defaultKeyStoreConnected(client);
    for (let made = 0; made < count; made += 1) await client.call('CreateKey');
  } finally {
    await server.stop();
  }
}

const archived = (): Promise<string> =>
  makeArchive(on.deployment.configurationPath, on.deployment.folder, on.deployment.defaultCluster.pin);

async function restore(archive: string, ...words: string[]): Promise<{ outcome: Outcome; printed: Message }> {
  const line = ['backup', 'restore', archive, ...words, '--output', 'json'];
  const outcome = await holdfast([...line, '--config', on.deployment.configurationPath]);
  return { outcome, printed: outcome.stdout === '' ? {} : (JSON.parse(outcome.stdout) as Message) };
}

function moveCatalog(to: string): void {
  for (const end of ['', '-wal', '-shm'])
    if (existsSync(catalogPath() + end)) renameSync(catalogPath() + end, join(on.deployment.folder, to + end));
}

it('an empty catalog is refused before any login, with what to do', async () => {
  await makeKeys(2);
  const archive = await archived();
  moveCatalog('lost.sqlite');
  for (const index of [0, 1]) on.emptyMember(index);
  expect((await holdfast(['catalog', 'init', '--config', on.deployment.configurationPath])).exitCode).toBe(0);
  const logins = on.member(0).fault.calls('C_Login');
  for (const words of [[], ['--dry-run']]) {
    const { outcome } = await restore(archive, ...words);
    expect([outcome.exitCode, outcome.stderr]).toEqual([5, expect.stringContaining('UNRELATED_CATALOG') as string]);
    expect(outcome.stderr).toContain('move the catalog away');
  }
  expect(on.member(0).fault.calls('C_Login')).toBe(logins);
  moveCatalog('empty.sqlite');
  expect((await restore(archive)).printed).toMatchObject({ catalog: { keys: 2 }, unknown_keys: 0 });
  on.expectAllOnAll();
});

it('a catalog that lacks some of the keys says how many, and the exit code is 5', async () => {
  await makeKeys(1);
  copyFileSync(catalogPath(), join(on.deployment.folder, 'old.sqlite'));
  await makeKeys(2);
  const archive = await archived();
  moveCatalog('lost.sqlite');
  const { configurationPath } = on.deployment;
  const old = join(on.deployment.folder, 'old.sqlite');
  expect((await holdfast(['catalog', 'restore', old, '--config', configurationPath])).exitCode).toBe(0);
  const { outcome, printed } = await restore(archive);
  expect([outcome.exitCode, printed]).toMatchObject([5, { catalog: null, unknown_keys: 2 }]);
  expect(outcome.stderr).toContain('2 keys of the archive cannot be restored');
});

it('--tombstones-of where there is a catalog is a usage error', async () => {
  await makeKeys(1);
  const archive = await archived();
  const { outcome } = await restore(archive, '--tombstones-of', '/does/not/exist');
  expect([outcome.exitCode, outcome.stderr]).toEqual([2, expect.stringContaining('--tombstones-of') as string]);
});
