/** What a restored service says of archives that its catalog cannot know. */
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { holdfast, type Outcome } from '../cli/session.js';
import { waitFor } from '../wait-for.js';
import type { Message } from './client.js';
import type { RunningServer } from './deployment.js';
import { WrappedDeployment } from './wrapped-deployment.js';

let wrapped: WrappedDeployment;
let server: RunningServer | undefined;

beforeEach(async () => {
  wrapped = await WrappedDeployment.make(2);
});
afterEach(async () => {
  await server?.stop();
  wrapped.dispose();
});

async function started(): Promise<RunningServer> {
  server = await wrapped.deployment.start();
  await server.defaultKeyStoreConnected();
  return server;
}

const at = (name: string): string => join(wrapped.deployment.folder, name);
const run = (...argv: string[]): Promise<Outcome> =>
  holdfast(['backup', ...argv, '--server', `unix:${wrapped.deployment.socketPath}`]);

async function created(): Promise<Message> {
  const made = await waitFor(async () => {
    const outcome = await run('create', '--output', 'json');
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    return outcome;
  });
  return JSON.parse(made.stdout) as Message;
}

test('the archive that was restored, and later ones, are found in the folder; of others it says that it cannot know', async () => {
  const running = await started();
  const { key_id: keyId } = (await running.client().call('CreateKey'))['key_metadata'] as Message;
  const own = await created();
  const later = await created();
  const elsewhere = await created();
  await running.stop();
  for (const end of ['', '-wal', '-shm'])
    if (existsSync(at(`catalog.sqlite${end}`))) renameSync(at(`catalog.sqlite${end}`), at(`lost${end}`));
  const path = (backup: Message): string => join(wrapped.deployment.backupFolder, backup['file_name'] as string);
  renameSync(path(elsewhere), at('far-away.backup'));
  const { configurationPath } = wrapped.deployment;
  const restored = await holdfast(['backup', 'restore', path(own), '--config', configurationPath]);
  expect(restored.exitCode, restored.stderr).toBe(0);

  await started();
  await waitFor(async () => {
    const listed = JSON.parse((await run('list', '--output', 'json')).stdout) as { backups: Message[] };
    const of = ({ backup_id: id }: Message): Message | undefined =>
      listed.backups.find((each) => each['backup_id'] === id);
    for (const backup of [own, later])
      expect(of(backup)).toMatchObject({
        state: 'BACKUP_STATE_COMPLETE',
        place: 'ARCHIVE_PLACE_FOLDER',
        key_materials: 1,
      });
  });
  const report = (await run('key-report', keyId as string)).stdout;
  for (const backup of [own, later]) expect(report).toContain(`${backup['file_name'] as string} of`);
  expect(report).not.toContain(elsewhere['file_name']);
  const [, unknownId] = /which this catalog does not know \(([0-9a-f]{32})\)/.exec(report) ?? [];
  expect((await run('delete', unknownId ?? '')).stderr).toContain('--gone');
  expect((await run('delete', unknownId ?? '', '--gone')).exitCode).toBe(0);
  expect((await run('key-report', keyId as string)).stdout).not.toContain('does not know');
});
