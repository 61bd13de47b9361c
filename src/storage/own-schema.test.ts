import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../clock-system.js';
import { backupCatalog } from './backup-catalog.js';
import { catalogSnapshots } from './catalog-snapshot.js';
import { createSqliteCatalog } from './create-catalog.js';
import { mergeTombstones } from './merge-tombstones.js';
import { createMetadata, migrate, schemaVersion } from './migrations.js';
import { requireOwnSchema } from './own-schema.js';
import { restoreCatalog } from './restore-catalog.js';
import { SqliteCatalogDatabase } from './sqlite-database.js';
import { columnTypes } from './sqlite-types.js';

let folder: string;
const at = (name: string): string => join(folder, name);
const owner = { identity: { partition: 'aws', region: 'eu-test-1', accounts: ['111122223333'] }, clusterIds: ['one'] };

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-schema-'));
  await createSqliteCatalog(at('catalog'), systemClock);
});
afterEach(() => rmSync(folder, { recursive: true }));

function change(statement: string): void {
  const connection = new Sqlite(at('catalog'));
  connection.unsafeMode(true).exec(statement);
  connection.close();
}

/** A catalog as the version with this schema would leave it. */
async function madeWith(version: number): Promise<Sqlite.Database> {
  const connection = new Sqlite(at(`catalog-${version}`));
  const database = new SqliteCatalogDatabase(connection, systemClock, 1_000);
  await database.write((transaction) => createMetadata(transaction, columnTypes, systemClock.now()));
  await migrate(database, columnTypes, version);
  return connection;
}

const hostile: [string, string, string][] = [
  ['a trigger', 'create trigger evil after insert on leases begin delete from keys; end', 'trigger "evil"'],
  ['a view', 'create view evil as select * from keys', 'view "evil"'],
  ['a table', 'create table evil (a)', 'table "evil"'],
  ['a virtual table', 'create virtual table evil using fts5(a)', 'table "evil"'],
  ['an index on an expression', 'create index evil on keys (upper(description))', 'index "evil"'],
  [
    'a view in place of a table',
    'drop table member_witnesses; create view member_witnesses as select 1 as epoch',
    'view "member_witnesses"',
  ],
  [
    'a trigger of ours that does another thing',
    `drop trigger keys_insert_changes; create trigger keys_insert_changes after insert on keys begin delete from intents; end`,
    'trigger "keys_insert_changes"',
  ],
  ['one more column', 'alter table keys add column evil text', 'table "keys"'],
  ['a generated column', "alter table keys add column evil text as (upper('a'))", 'table "keys"'],
  [
    'a check that runs a function',
    `pragma writable_schema = on;
     update sqlite_schema set sql = replace(sql, '"description" text not null', '"description" text not null check (randomblob(9))') where name = 'keys'`,
    'table "keys"',
  ],
];

it.each(hostile)('refuses %s, wherever a catalog comes from', async (_, statement, named) => {
  change(statement);
  const refusal = `it has the ${named}, which Holdfast does not make so`;
  await expect(requireOwnSchema(at('catalog'), systemClock)).rejects.toThrow(refusal);
  const options = { owner, clock: systemClock, onProgress: () => undefined };
  await expect(restoreCatalog({ source: at('catalog'), target: at('restored'), ...options })).rejects.toThrow(refusal);
  await createSqliteCatalog(at('other'), systemClock);
  await expect(mergeTombstones(at('other'), at('catalog'), options)).rejects.toThrow(refusal);
});

it('refuses a copy of one that has more, because no restore would take it', async () => {
  change('create table evil (a)');
  await expect(backupCatalog(at('catalog'), at('copy'), () => undefined)).rejects.toThrow(
    `The catalog in ${at('catalog')} is not as Holdfast makes one: it has the table "evil"`,
  );
  await expect(catalogSnapshots(at('catalog'), folder).take()).rejects.toThrow('it has the table "evil"');
  expect(existsSync(at('copy'))).toBe(false);
});

it('takes one with the statistics that ANALYZE makes, and nothing else by their name', async () => {
  change('analyze');
  await expect(requireOwnSchema(at('catalog'), systemClock)).resolves.toBeUndefined();
  change(`pragma writable_schema = on;
    update sqlite_schema set sql = 'CREATE TABLE sqlite_stat1(tbl,idx,stat check (randomblob(9)))' where name = 'sqlite_stat1'`);
  await expect(requireOwnSchema(at('catalog'), systemClock)).rejects.toThrow('it has the table "sqlite_stat1"');
});

it('refuses one that lacks a trigger', async () => {
  change('drop trigger keys_insert_changes');
  await expect(requireOwnSchema(at('catalog'), systemClock)).rejects.toThrow(
    'it lacks the trigger "keys_insert_changes"',
  );
});

it('takes the catalog of every version', async () => {
  for (let version = 0; version <= schemaVersion; version += 1) {
    (await madeWith(version)).close();
    await expect(requireOwnSchema(at(`catalog-${version}`), systemClock)).resolves.toBeUndefined();
  }
});

it('leaves what is no catalog to the check that says what it is', async () => {
  writeFileSync(at('text'), 'no database at all, but a text that is longer than a header');
  await expect(requireOwnSchema(at('text'), systemClock)).resolves.toBeUndefined();
  change('update catalog_metadata set schema_version = 999');
  await expect(requireOwnSchema(at('catalog'), systemClock)).resolves.toBeUndefined();
});

it('the texts of released schemas never change: an older archive must stay restorable', async () => {
  const connection = await madeWith(10);
  const texts = connection.prepare('select type, name, sql from sqlite_schema order by type, name').all();
  connection.close();
  expect(createHash('sha256').update(JSON.stringify(texts)).digest('hex')).toBe(
    '2721b8aacb00e5eb07ea09afbc6becf953f1651c4ae46088ca9c5f796a8fd872',
  );
});
