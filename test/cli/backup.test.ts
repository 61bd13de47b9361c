import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Deployment, type RunningServer } from '../e2e/deployment.js';
import { holdfast, type Outcome } from './session.js';

const deployment = new Deployment();
const at = (name: string): string => join(deployment.folder, name);
let server: RunningServer;

beforeAll(async () => {
  server = await deployment.start();
  await server.defaultKeyStoreConnected();
  await server.client().call('CreateKey');
});

afterAll(async () => {
  await server.stop();
  expect(deployment.findSecrets()).toEqual([]);
  deployment.dispose();
});

const run = (...argv: string[]): Promise<Outcome> =>
  holdfast(['backup', ...argv, '--server', `unix:${deployment.socketPath}`]);

test('an archive is made, copied to a file that is whole and private, listed, verified and described', async () => {
  const copy = at('copy.backup');
  const made = await run('create', '--to', copy, '--output', 'json');
  expect([made.exitCode, made.stderr]).toEqual([0, '']);
  const { backup_id: backupId, file_name: fileName } = JSON.parse(made.stdout) as Record<string, string>;
  expect(readFileSync(copy).equals(readFileSync(join(deployment.backupFolder, fileName!)))).toBe(true);
  expect(statSync(copy).mode & 0o777).toBe(0o600);
  expect(readdirSync(deployment.backupFolder)).toEqual([fileName]);
  expect((await run('list')).stdout).toContain(backupId);

  const verified = await run('verify');
  expect(verified).toMatchObject({ exitCode: 0, stderr: '' });
  expect(verified.stdout).toContain('verification UNAUTHENTICATED');

  const described = await holdfast(['backup', 'describe', copy]);
  expect(described.stdout).toContain(`archive ${backupId}`);
  expect(described.stdout).toContain('there is no backup of them (1 key materials)');
});

test('the archive alone goes to stdout', async () => {
  const made = await run('create', '--to', '-');
  expect(made.exitCode).toBe(0);
  expect(made.stdoutBytes.subarray(0, 18).toString()).toBe('holdfast backup 1\n');
  expect(made.stderr).toContain('COMPLETE');
});

test('nothing is replaced, and no partial copy is left', async () => {
  writeFileSync(at('taken'), 'mine');
  const made = await run('create', '--to', at('taken'));
  expect(made).toMatchObject({ exitCode: 4 });
  expect(made.stderr).toContain('name another file');
  expect(readFileSync(at('taken'), 'utf8')).toBe('mine');
  expect(readdirSync(deployment.folder).filter((name) => name.includes('partial'))).toEqual([]);
});

test('an archive that was changed on the disk is refused with the reason', async () => {
  const made = await run('create', '--output', 'json');
  const { backup_id: backupId, file_name: fileName } = JSON.parse(made.stdout) as Record<string, string>;
  const path = join(deployment.backupFolder, fileName!);
  const bytes = readFileSync(path);
  bytes[bytes.length - 1_000]! ^= 1;
  writeFileSync(path, bytes);
  const verified = await run('verify', backupId!);
  expect(verified.exitCode).toBe(5);
  expect(verified.stderr).toContain('BACKUP_REFUSED');
  writeFileSync(path, bytes.subarray(0, 5_000));
  expect((await run('verify', backupId!)).stderr).toContain('The archive ends in the middle.');
});

test('a file that is no archive is not described, and an unknown backup not verified', async () => {
  expect((await holdfast(['backup', 'describe', at('taken')])).stderr).toContain('The archive ends in the middle.');
  expect((await holdfast(['backup', 'describe', deployment.configurationPath])).stderr).toContain('no backup archive');
  expect(await run('verify', '0'.repeat(32))).toMatchObject({ exitCode: 1 });
});
