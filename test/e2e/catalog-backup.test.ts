import { existsSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { restoredEncryptions } from '../../src/storage/adapt-restored.js';
import { schemaVersion } from '../../src/storage/migrations.js';
import { holdfast } from '../cli/session.js';
import type { Message } from './client.js';
import { Deployment, type RunningServer } from './deployment.js';

const deployment = new Deployment({ customClusters: [] });
const path = join(deployment.folder, 'catalog.sqlite');
const backupFile = join(deployment.folder, 'backup.sqlite');
const command = (...words: string[]) => holdfast([...words, '--config', deployment.configurationPath]);
const plaintext = Buffer.from('restore me');
let server: RunningServer;
let ciphertext: unknown;

beforeAll(async () => {
  server = await deployment.start();
  const client = server.client();
  await server.defaultKeyStoreConnected(client);
  const { key_id: keyId } = (await client.call('CreateKey', {}))['key_metadata'] as Message;
  ({ ciphertext_blob: ciphertext } = await client.call('Encrypt', { key_id: keyId, plaintext }));
});
afterAll(async () => {
  await server.stop();
  deployment.dispose();
});

it('a catalog is backed up while the server runs, with a record, and no file is replaced', async () => {
  const made = await command('catalog', 'backup', backupFile, '--output', 'json');
  expect(JSON.parse(made.stdout)).toMatchObject({
    file: backupFile,
    keys: 1,
    schema_version: schemaVersion,
    bytes: statSync(backupFile).size,
  });
  expect(made).toMatchObject({ exitCode: 0, stderr: '' });
  expect(statSync(backupFile).mode & 0o777).toBe(0o600);
  const again = await command('catalog', 'backup', backupFile);
  expect(again).toMatchObject({ exitCode: 4, stderr: expect.stringContaining('nothing was changed') as string });
  const outcomes = deployment.auditRecords().filter(({ operation }) => operation === 'BackupCatalog');
  expect(outcomes.map(({ outcome }) => outcome)).toEqual(['started', 'success', 'started', 'failed']);
});

it('a backup is restored when the server is stopped and the old catalog moved away, and its keys decrypt', async () => {
  const inTheWay = await command('catalog', 'restore', backupFile);
  expect(inTheWay).toMatchObject({ exitCode: 4, stderr: expect.stringContaining('Stop the service') as string });
  for (const end of ['', '-wal', '-shm']) if (existsSync(path + end)) renameSync(path + end, `${path}.old${end}`);
  const inUse = await command('catalog', 'restore', backupFile);
  expect(inUse).toMatchObject({
    exitCode: 4,
    stderr: expect.stringContaining('Another process uses the catalog') as string,
  });
  await server.stop();
  expect(await command('catalog', 'restore', backupFile)).toMatchObject({ exitCode: 0, stderr: '' });
  expect((await command('deletion-hold', 'describe')).exitCode).toBe(5);
  server = await deployment.start();
  const client = server.client();
  await server.defaultKeyStoreConnected(client);
  expect((await client.call('Decrypt', { ciphertext_blob: ciphertext }))['plaintext']).toEqual(plaintext);
  await server.server.keyDeletion.runNow();
  expect(readFileSync(deployment.logPath, 'utf8')).toMatch(/"reason":"restored".*ALERT: deletions are held/);
  expect(restoredEncryptions).toBe(2 ** 28);
});
