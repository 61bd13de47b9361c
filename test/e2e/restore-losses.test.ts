/** Restores that cannot bring everything back, and what they take over from a newer catalog. */
import { copyFileSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { makeArchive } from '../backup/make-archive.js';
import { holdfast, type Outcome } from '../cli/session.js';
import type { Message } from './client.js';
import { WrappedDeployment } from './wrapped-deployment.js';

const raised = 2 ** 28;

let wrapped: WrappedDeployment;

beforeEach(async () => {
  wrapped = await WrappedDeployment.make(2);
});
afterEach(() => wrapped.dispose());

const at = (name: string): string => join(wrapped.deployment.folder, name);
const catalogPath = (): string => at('catalog.sqlite');

async function makeKeys(count: number): Promise<string> {
  const server = await wrapped.deployment.start();
  const client = server.client();
  await server.defaultKeyStoreConnected(client);
  for (let made = 0; made < count; made += 1) await client.call('CreateKey', {});
  await server.stop();
  return makeArchive(
    wrapped.deployment.configurationPath,
    wrapped.deployment.folder,
    wrapped.deployment.defaultCluster.pin,
  );
}

async function run(
  command: 'restore' | 'drill',
  archive: string,
  ...words: string[]
): Promise<{ outcome: Outcome; printed: Message }> {
  const config = words.includes('--config') ? [] : ['--config', wrapped.deployment.configurationPath];
  const outcome = await holdfast(['backup', command, archive, ...words, ...config, '--output', 'json']);
  return { outcome, printed: outcome.stdout === '' ? {} : (JSON.parse(outcome.stdout) as Message) };
}

function inCatalog<T>(work: (database: Database.Database) => T, path = catalogPath()): T {
  const database = new Database(path);
  try {
    return work(database);
  } finally {
    database.close();
  }
}

function loseCatalog(): string {
  const lost = `${catalogPath()}.lost`;
  inCatalog((database) => database.pragma('wal_checkpoint(TRUNCATE)'));
  copyFileSync(catalogPath(), lost);
  for (const end of ['', '-wal', '-shm']) if (existsSync(catalogPath() + end)) rmSync(catalogPath() + end);
  return lost;
}

it('ten keys that cannot be given back are named, the others come back, and the command fails', async () => {
  const archive = await makeKeys(13);
  const [bad, good] = inCatalog((database) => {
    const ids = database.prepare<[], string>('select material_id from materials order by material_id').pluck().all();
    const broken = ids.slice(1, 11);
    const spoil = database.prepare('update materials set canary_ciphertext = zeroblob(48) where material_id = ?');
    for (const id of broken) spoil.run(id);
    return [broken, ids.filter((id) => !broken.includes(id))];
  });
  wrapped.ageKeys();
  wrapped.emptyMember(1);
  const { outcome, printed } = await run('restore', archive);
  expect([outcome.exitCode, outcome.stderr]).toEqual([5, expect.stringContaining('INCOMPLETE') as string]);
  expect(printed['members']).toMatchObject([
    { member: 'a', missing: 0 },
    { member: 'b', lacking: 13, restored: 3, failed: 10, missing: 10, missing_key_materials: bad },
  ]);
  expect(wrapped.onTokens()[1]).toEqual(good);
  const text = await holdfast(['backup', 'restore', archive, '--config', wrapped.deployment.configurationPath]);
  for (const id of bad) expect(text.stdout).toContain(`key material ${id} is missing on member b`);
});

it('--tombstones-of takes over deletions, counts of encryptions and the record of backups', async () => {
  const archive = await makeKeys(3);
  const read = (query: string) => inCatalog((database) => database.prepare(query).pluck().all());
  const ids = read('select material_id from materials order by material_id') as string[];
  const before = inCatalog((database) => {
    const put = database.prepare('insert or replace into encryption_reservations values (?, ?)');
    put.run(ids[0], 2 ** 30);
    put.run(ids[1], 7);
    database.prepare("update keys set state = 'Deleted' where current_material_id = ?").run(ids[2]);
    database
      .prepare(
        `insert into backups (backup_id, file_name, trigger_name, state, start_date, key_materials, absent_key_materials, generations)
         values ('${'a'.repeat(32)}', 'newer.backup', 'OPERATOR', 'COMPLETE', 5, 3, 0, '[]')`,
      )
      .run();
    return database.prepare('select backup_id from backups').pluck().all();
  });
  const lost = loseCatalog();
  const { outcome } = await run('restore', archive, '--tombstones-of', lost);
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  const counts = read('select reserved_encryptions from encryption_reservations order by material_id');
  expect(counts).toEqual([2 ** 30, raised, raised]);
  expect(read("select current_material_id from keys where state = 'Deleted'")).toEqual([ids[2]]);
  expect(read('select backup_id from backups')).toEqual(expect.arrayContaining(before));
});

it('a refused PIN is remembered across a broken archive and dry runs', async () => {
  const archive = await makeKeys(1);
  loseCatalog();
  writeFileSync(at('default.pin'), 'wrong-1234567', { mode: 0o600 });
  const wrong = () => wrapped.members.map(({ fault }) => fault.counts('C_Login').failed);
  const [length, broken] = [readFileSync(archive).length, at('broken.backup')];
  copyFileSync(archive, broken);
  truncateSync(broken, length - 1);
  for (const [path, ...words] of [
    [archive],
    [broken],
    [broken, '--dry-run'],
    [archive, '--dry-run'],
    [broken],
    [archive],
  ]) {
    const { outcome } = await run('restore', path ?? archive, ...words);
    expect([outcome.exitCode, wrong()]).toEqual([5, [1, 0]]);
  }
  writeFileSync(at('default.pin'), wrapped.deployment.defaultCluster.pin, { mode: 0o600 });
  expect((await run('restore', broken)).outcome.stderr).toContain('truncated');
  const { outcome } = await run('restore', archive);
  expect([outcome.exitCode, wrong()]).toEqual([0, [1, 0]]);
});

it('a drill refuses a member that is away: nothing is known of it', async () => {
  const archive = await makeKeys(1);
  const drill = at('drill.yaml');
  const file = parse(readFileSync(wrapped.deployment.configurationPath, 'utf8')) as Message;
  Object.assign(file, { catalog: { kind: 'sqlite', path: at('drill.sqlite') }, audit: { file: at('drill.log') } });
  writeFileSync(drill, stringify(file, { aliasDuplicateObjects: false }));
  for (const index of [0, 1]) wrapped.emptyMember(index);
  wrapped.member(1).fault.remove('device-error');
  const { outcome } = await run('drill', archive, '--config', drill);
  expect([outcome.exitCode, outcome.stderr]).toEqual([
    5,
    expect.stringMatching(/NOT_SCRATCH.*member b could not be opened, so nothing is known of it/) as string,
  ]);
  expect([existsSync(at('drill.sqlite')), wrapped.onTokens()]).toEqual([false, [[], []]]);
  wrapped.member(1).fault.heal();
  const later = await run('drill', archive, '--config', drill);
  expect(later.outcome.exitCode, later.outcome.stderr).toBe(0);
});
