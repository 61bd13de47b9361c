/** Backups and restores while there is no room: at each file that they write, from its first write on. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { makeArchive } from '../backup/make-archive.js';
import type { HoldfastClient, Message } from '../e2e/client.js';
import { commandLine, eventually } from '../e2e/deployment.js';
import { everyMemberServes, KeptDeployment } from './kept-deployment.js';

/** The calls that need room. `npm test` has those that a file appears by, and those of a commit. */
const needsRoom =
  process.env['HOLDFAST_CRASH_RESULTS'] === undefined
    ? /^(write|link|rename) |^pwrite .*-wal$/
    : /^(write|pwrite|ftruncate|link|rename) /;

let kept: KeptDeployment;

beforeAll(async () => {
  kept = await KeptDeployment.make(1);
});
beforeEach(() => kept.restore());
afterAll(() => kept.dispose());

/** Does the work undisturbed. @returns what it writes, by function and file */
async function writesOf(work: () => Promise<unknown>): Promise<string[]> {
  const before = kept.disk.returned();
  await work();
  const calls = kept.disk.trace().filter(({ number }) => number > before);
  return [...new Set(calls.map(({ name }) => name))].filter((name) => needsRoom.test(name));
}

/** Does the work without room for these writes. */
async function withoutRoom<T>(name: string, work: () => Promise<T>): Promise<T> {
  kept.disk.obey(name, 'no-space', { times: Number.MAX_SAFE_INTEGER });
  try {
    return await work();
  } finally {
    kept.disk.heal();
  }
}

/** @returns the record of the backup; one that could not even be begun has an error */
async function backUp(client: HoldfastClient): Promise<Message> {
  try {
    const { backup_id: backupId } = await client.call('CreateBackup');
    let seen: Message = {};
    const ended = async (): Promise<void> => {
      const { backups } = await client.call('DescribeBackups', { backup_id: backupId });
      [seen = {}] = backups as Message[];
      if (seen['state'] === 'BACKUP_STATE_RUNNING' || seen['work'] !== undefined) throw new Error('It is under way.');
    };
    // One whose end could not be recorded is ended by the next one.
    await eventually(ended, 3).catch(() => undefined);
    return seen;
  } catch (error) {
    return { error };
  }
}

test('a backup without room fails in words, leaves nothing, and the next one is made', async () => {
  const { deployment } = kept.wrapped;
  const server = await deployment.spawn(kept.disk.environment);
  const client = server.client();
  await everyMemberServes(client);
  const writes = await writesOf(() => backUp(client));
  expect(writes.length).toBeGreaterThan(2);
  for (const name of writes) {
    const failed = await withoutRoom(name, () => backUp(client));
    const { state, failure, error } = failed;
    if (state === 'BACKUP_STATE_FAILED') expect([name, failure]).toEqual([name, expect.stringContaining('no room')]);
    else if (state !== 'BACKUP_STATE_RUNNING')
      expect([name, String(error)]).toEqual([name, expect.stringContaining('catalog')]);
    const made = await backUp(client);
    expect([name, made['state'] ?? made['error']]).toEqual([name, 'BACKUP_STATE_COMPLETE']);
    expect(readdirSync(deployment.backupFolder).filter((file) => file.includes('.partial'))).toEqual([]);
  }
  await server.end('SIGTERM');
});

test('a restore without room says so, and the next one goes on', async () => {
  const { configurationPath, folder, defaultCluster } = kept.wrapped.deployment;
  const archive = await makeArchive(configurationPath, folder, defaultCluster.pin);
  const lose = (): void => {
    kept.restore();
    for (const file of readdirSync(folder)) if (/^\.?catalog\.sqlite/.test(file)) rmSync(join(folder, file));
    kept.wrapped.emptyMember(1);
  };
  const restore = async () => {
    const words = ['backup', 'restore', archive, '--config', configurationPath];
    const env = { ...process.env, ...kept.disk.environment };
    const child = spawn(process.execPath, [commandLine, ...words], { stdio: ['ignore', 'ignore', 'pipe'], env });
    const [stderr] = await Promise.all([text(child.stderr), once(child, 'close')]);
    return { exitCode: child.exitCode, stderr };
  };
  lose();
  const writes = await writesOf(restore);
  expect(writes.length).toBeGreaterThan(2);
  for (const name of writes) {
    lose();
    const failed = await withoutRoom(name, restore);
    // What is moved from the log into the catalog at its close stays in the log.
    if (failed.exitCode !== 0)
      expect([name, failed]).toEqual([
        name,
        { exitCode: 4, stderr: expect.stringMatching(/error: CATALOG: .*room/s) as string },
      ]);
    const next = await restore();
    expect([name, next.exitCode], next.stderr).toEqual([name, 0]);
    kept.wrapped.expectAllOnAll();
  }
});
