/** Backups of a wrapped cluster with two members and one for recovery, through the command line and BackupService. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { holdfast, type Outcome } from '../cli/session.js';
import { waitFor } from '../wait-for.js';
import { runCeremony, type SoftHsmMember } from '../wrapped-cluster.js';
import type { Message } from './client.js';
import { commandLine, type RunningServer } from './deployment.js';
import { WrappedDeployment } from './wrapped-deployment.js';

let wrapped: WrappedDeployment;
let vault: SoftHsmMember;
let server: RunningServer;
let keyId: string;

beforeAll(async () => {
  wrapped = await WrappedDeployment.make(2);
  vault = wrapped.addRecoveryMember('vault', 'vault-1234567');
  await ceremony(2, vault);
  server = await wrapped.deployment.start();
  await server.defaultKeyStoreConnected();
  for (let made = 0; made < 3; made += 1)
    keyId = ((await server.client().call('CreateKey'))['key_metadata'] as Message)['key_id'] as string;
});
afterAll(async () => {
  await server.stop();
  wrapped.dispose();
  vault.hsm.dispose();
});

const ceremony = (generation: number, ...others: SoftHsmMember[]): Promise<void> =>
  runCeremony([...wrapped.members, ...others], generation, wrapped.deployment.defaultCluster);
const address = (): string => `unix:${wrapped.deployment.socketPath}`;
const run = (...argv: string[]): Promise<Outcome> => holdfast(['backup', ...argv, '--server', address()]);
const json = ({ stdout }: Outcome): Message => JSON.parse(stdout) as Message;

async function created(...more: string[]): Promise<Message> {
  const made = await waitFor(async () => {
    const outcome = await run('create', '--output', 'json', ...more);
    expect([outcome.exitCode, outcome.stderr]).toEqual([0, '']);
    return outcome;
  });
  return json(made);
}

test('an archive is made, listed, verified by every key, described, and deleted by who may', async () => {
  const made = await created();
  expect(made).toMatchObject({ state: 'BACKUP_STATE_COMPLETE', key_materials: 3, generations: [{ generation: 2 }] });
  const id = made['backup_id'] as string;
  const listed = json(await run('list', '--limit', '1', '--output', 'json'))['backups'];
  expect(listed).toMatchObject([{ backup_id: id, place: 'ARCHIVE_PLACE_FOLDER' }]);
  expect((await run('list', '--limit', '0')).exitCode).toBe(2);
  const verified = await run('verify', id);
  expect([verified.exitCode, verified.stdout]).toEqual([0, expect.stringContaining('verification PASSED')]);
  const described = await holdfast(['cluster', 'describe', '--server', address()]);
  expect(described.stdout).toMatch(new RegExp(`newest backup: ${id} of .*, generation 2; verification PASSED 20`));
  const path = join(wrapped.deployment.backupFolder, made['file_name'] as string);
  expect((await holdfast(['backup', 'describe', path])).stdout).toContain('3 key materials of generation 2');
  expect((await run('delete', id)).stderr).toContain('KMS_INVALID_STATE');
  await created();
  expect((await run('delete', id)).exitCode).toBe(0);
  expect(readdirSync(wrapped.deployment.backupFolder)).not.toContain(made['file_name']);
  const user = server.client('app');
  for (const [method, request] of [
    ['CreateBackup', {}],
    ['DescribeBackups', {}],
    ['ReadBackup', { backup_id: id }],
    ['VerifyBackup', { backup_id: id }],
    ['DeleteBackup', { backup_id: id, no_copy_is_left: true }],
    ['DescribeKeyDeletion', { key_id: keyId }],
  ] as const)
    expect(await user.refusal(method, request)).toMatchObject({ reason: 'ACCESS_DENIED' });
});

test('a list of many is answered in pages', async () => {
  await created();
  await created();
  const client = server.client();
  const ids: unknown[] = [];
  for (let marker: unknown; ; ) {
    const page = await client.call('DescribeBackups', { limit: 1, ...(marker === undefined ? {} : { marker }) });
    ids.push(...(page['backups'] as Message[]).map((backup) => backup['backup_id']));
    if (page['truncated'] !== true) break;
    marker = page['next_marker'];
  }
  const all = json(await run('list', '--output', 'json'))['backups'] as Message[];
  expect(ids).toEqual(all.map((backup) => backup['backup_id']));
  expect(new Set(ids).size).toBe(ids.length);
  expect(await client.refusal('DescribeBackups', { marker: 'x' })).toMatchObject({ reason: 'INVALID_MARKER' });
});

test('a copy that was read counts in the report of a key until the operator says that it is gone', async () => {
  const copied = await run('create', '--to', '-', '--output', 'json');
  expect(copied.exitCode).toBe(0);
  const { backup_id: id, file_name: name } = JSON.parse(copied.stderr) as Message;
  expect(copied.stdoutBytes.equals(readFileSync(join(wrapped.deployment.backupFolder, name as string)))).toBe(true);
  await created();
  const deleted = await run('delete', id as string);
  expect(deleted.stdout).toContain('a copy may exist');
  const report = await run('key-report', keyId);
  expect(report.stdout).toContain(`may be in ${name as string}`);
  expect(report.stdout).toMatch(/it was read before, .*so a copy may exist/);
  expect((await run('delete', id as string, '--gone')).exitCode).toBe(0);
  expect((await run('key-report', keyId)).stdout).not.toContain(name as string);
});

test('a file that is gone is said to be gone, by list, verify, key-report and status', async () => {
  const { backup_id: id, file_name: name } = await created();
  await created();
  rmSync(join(wrapped.deployment.backupFolder, name as string));
  const verified = await run('verify', id as string);
  expect(verified.exitCode).toBe(5);
  expect(verified.stderr).toContain('Its file is not in the folder of backups any more.');
  expect((await run('key-report', keyId)).stdout).toContain('is gone from the folder; may exist elsewhere');
  const status = (await server.client().call('GetStatus')) as { backups: Message; concerns: Message[] };
  expect(status.backups).toMatchObject({ absent_archives: 1, last_refused: true, generations: [{ generation: 2 }] });
  expect(status.concerns.filter(({ subject }) => subject === 'backups')).toHaveLength(2);
  expect((await holdfast(['status', '--server', address()])).stdout).toContain('needs generation 2 of cluster');
  expect((await run('delete', id as string)).stderr).toContain('--gone');
  expect((await run('delete', id as string, '--gone')).exitCode).toBe(0);
});

/** The real command, with stdout of the kernel. */
async function toStdout(stdout: 'pipe' | number): Promise<{ exitCode: number; stderr: string }> {
  const child = spawn(process.execPath, [commandLine, 'backup', 'create', '--to', '-', '--server', address()], {
    stdio: ['ignore', stdout, 'pipe'],
  });
  child.stdout?.destroy();
  const heard: Buffer[] = [];
  child.stderr?.on('data', (text: Buffer) => heard.push(text));
  const [exitCode] = (await once(child, 'close')) as [number];
  return { exitCode, stderr: Buffer.concat(heard).toString() };
}

test.each([
  ['a pipe that is closed', (): 'pipe' | number => 'pipe', 'EPIPE'],
  ['a disk that is full', (): 'pipe' | number => openSync('/dev/full', 'w'), 'ENOSPC'],
])('%s behind stdout is an error, and the archive in the folder stays whole', async (_, stdout, code) => {
  const { exitCode, stderr } = await toStdout(stdout());
  expect([exitCode, stderr]).toEqual([4, expect.stringContaining('LOCAL_FILE: stdout did not take the archive')]);
  expect(stderr).toContain(code);
  expect(stderr).not.toContain('COMPLETE');
  expect((await run('verify')).exitCode).toBe(0);
});

test('an offset beyond all files is refused as what it is', async () => {
  const request = { backup_id: '0'.repeat(32), offset: '18446744073709551615' };
  const refused = await server.client().refusal('ReadBackup', request);
  expect(refused).toMatchObject({ reason: 'VALIDATION' });
  expect(JSON.stringify(refused)).not.toContain('-1');
});

test('thirty thousand records are listed whole, or as few as are wanted', async () => {
  const database = new Database(join(wrapped.deployment.folder, 'catalog.sqlite'));
  const insert = database.prepare(
    `insert into backups (backup_id, file_name, trigger_name, state, start_date, end_date, key_materials, absent_key_materials,
     generations, removed_date) values (printf('%032x', ?), 'of long ago', 'SCHEDULE', 'COMPLETE', ?, 1, 3, 0, '[]', 2)`,
  );
  database.transaction(() => {
    for (let number = 1; number <= 30_000; number += 1) insert.run(number, number);
  })();
  database.close();
  const all = json(await run('list', '--output', 'json', '--timeout', '60'))['backups'] as Message[];
  expect(new Set(all.map((backup) => backup['backup_id'])).size).toBeGreaterThan(30_000);
  const few = json(await run('list', '--output', 'json', '--limit', '1500'))['backups'] as Message[];
  expect(few).toEqual(all.slice(0, 1_500));
  // What is shown of the present does not grow with the past.
  expect((await server.client().call('GetStatus'))['backups']).toMatchObject({ generations: [{ generation: 2 }] });
  expect((await created())['state']).toBe('BACKUP_STATE_COMPLETE');
});

test('doctor names the recovery member that was left out of a ceremony', async () => {
  const findings = async (): Promise<Message[]> => {
    const outcome = await holdfast(['doctor', '--config', wrapped.deployment.configurationPath, '--output', 'json']);
    const { findings: all } = JSON.parse(outcome.stdout) as { findings: Message[] };
    return all.filter(({ check }) => check === 'recovery-members');
  };
  expect(await findings()).toMatchObject([{ status: 'ok', message: 'has generation 2 of the wrapping keys' }]);
  await ceremony(3);
  expect(await findings()).toMatchObject([
    {
      status: 'fail',
      subject: expect.stringContaining('recovery member vault') as string,
      message: expect.stringContaining('it has no generation 3') as string,
    },
  ]);
  wrapped.configure(({ modules }) => Object.assign(modules['vault'] as object, { path: '/nonexistent/module.so' }));
  expect(await findings()).toMatchObject([
    { status: 'warn', message: expect.stringContaining('cannot be read') as string },
  ]);
});
