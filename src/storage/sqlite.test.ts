import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTestCatalog, takeBackToSchema1 } from '../../test/catalog-file.js';
import { addKey, intentFor, keyRecord, materialOf, scope } from '../../test/contract/catalog-records.js';
import { systemClock } from '../clock-system.js';
import { catalogOn } from './catalog.js';
import { CatalogOpenError } from './database.js';
import { schemaVersion } from './migrations.js';
import { openSqliteCatalog, type SqliteCatalog } from './sqlite.js';
import { applicationId, openConnection } from './sqlite-connection.js';
import { SqliteCatalogDatabase } from './sqlite-database.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-sqlite-'));
  path = join(folder, 'catalog.db');
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = (): Promise<SqliteCatalog> => openSqliteCatalog({ path, clock: systemClock });

/** Makes a catalog if there is none, closes it, and leaves the file. */
async function makeCatalog(): Promise<string> {
  const catalog = await openTestCatalog({ path, clock: systemClock });
  await catalog.close();
  return catalog.incarnationId;
}

function withRawConnection<T>(task: (connection: Sqlite.Database) => T): T {
  const connection = new Sqlite(path);
  try {
    return task(connection);
  } finally {
    connection.close();
  }
}

describe('leases', () => {
  it('are given to one process, although each container sees an uptime of its own', async () => {
    await makeCatalog();
    const shown = (uptimeMs: number) => ({
      ...systemClock,
      boot: () => ({ ...systemClock.boot(), sinceBootMs: uptimeMs }),
    });
    const catalogs = [
      await openSqliteCatalog({ path, clock: shown(1_000_000) }),
      await openSqliteCatalog({ path, clock: shown(1_000) }),
      await openSqliteCatalog({ path, clock: shown(9_000_000) }),
    ];
    const given: boolean[] = [];
    for (const [index, catalog] of catalogs.entries()) {
      given.push((await catalog.acquireLease('a job', `process ${index}`, 60_000)) !== undefined);
    }
    for (const catalog of catalogs) await catalog.close();
    expect(given).toEqual([true, false, false]);
  });
});

describe('opening', () => {
  it('makes the file for this user only and keeps its incarnation', async () => {
    const first = await openTestCatalog({ path, clock: systemClock });
    for (const file of [path, `${path}-wal`, `${path}-shm`]) expect(statSync(file).mode & 0o777).toBe(0o600);
    await first.close();
    expect(first.incarnationId).toMatch(/^[0-9a-f]{32}$/);
    expect(await makeCatalog()).toBe(first.incarnationId);
    rmSync(path);
    expect(await makeCatalog()).not.toBe(first.incarnationId);
  });

  it('syncs every commit, checks references and marks the file as ours', async () => {
    await makeCatalog();
    const connection = openConnection(path, 100);
    const setting = (name: string): unknown => connection.pragma(name, { simple: true });
    expect(setting('journal_mode')).toBe('wal');
    expect(setting('synchronous')).toBe(2);
    expect(setting('foreign_keys')).toBe(1);
    expect(setting('application_id')).toBe(applicationId);
    connection.close();
  });

  it('refuses the database of another program and leaves it as it was', async () => {
    withRawConnection((connection) => connection.exec('create table theirs (x)'));
    chmodSync(path, 0o600);
    const before = readFileSync(path);
    await expect(open()).rejects.toThrow(/no Holdfast catalog/);
    expect(readFileSync(path)).toEqual(before);
    expect(existsSync(`${path}-wal`)).toBe(false);
  });

  it('refuses a catalog newer than it knows and leaves it as it was', async () => {
    await makeCatalog();
    withRawConnection((connection) =>
      connection.exec(`update catalog_metadata set schema_version = ${schemaVersion + 1}`),
    );
    const before = readFileSync(path);
    await expect(open()).rejects.toThrow(/newer version/);
    await expect(open()).rejects.toBeInstanceOf(CatalogOpenError);
    expect(readFileSync(path)).toEqual(before);
  });

  it('says so when the catalog cannot be written', async (context) => {
    await makeCatalog();
    const writable = makeReadOnly(path);
    context.skip(writable === undefined, 'this file system has no immutable files, and nothing else stops root');
    try {
      await expect(open()).rejects.toBeInstanceOf(CatalogOpenError);
    } finally {
      writable?.();
    }
  });

  it('opens again after an interrupted migration', async () => {
    await makeCatalog();
    withRawConnection((connection) => {
      for (const table of [
        'backups',
        'member_witnesses',
        'catalog_predecessors',
        'catalog_epochs',
        'catalog_epoch',
        'cluster_daily_peaks',
        'cluster_loads',
        'drained_members',
        'pin_rotations',
        'pin_rotation_members',
        'pin_ages',
        'default_pins',
        'leases',
        'counters',
        'time_record',
        'encryption_reservations',
        'login_attempts',
        'aliases',
        'materials',
        'intents',
        'custom_key_stores',
        'keys',
      ]) {
        connection.exec(`drop table ${table}`);
      }
      connection.exec('update catalog_metadata set schema_version = 0');
    });
    const catalog = await open();
    await addKey(catalog);
    await catalog.close();
  });
});

describe('migrating', () => {
  it('brings schema 1 up to date and keeps its contents', async () => {
    await makeCatalog();
    const first = await open();
    const key = await addKey(first);
    await first.close();
    withRawConnection(takeBackToSchema1);
    const catalog = await open();
    expect(catalog.incarnationId).toBe(first.incarnationId);
    expect(await catalog.findKey(scope, key.keyId)).toEqual(key);
    expect(await catalog.reserveEncryptions(key.currentMaterialId, 10)).toBe(10);
    await catalog.close();
    const version = withRawConnection((connection) =>
      connection.prepare('select schema_version from catalog_metadata').pluck().get(),
    );
    expect(version).toBe(schemaVersion);
  });
});

describe('a database that fails', () => {
  it('answers a full disk with a typed error and nothing half-written', async () => {
    await makeCatalog();
    const connection = openConnection(path, 100);
    const database = new SqliteCatalogDatabase(connection, systemClock, 100);
    const catalog = catalogOn(database, systemClock);
    connection.pragma(`max_page_count = ${Number(connection.pragma('page_count', { simple: true })) + 4}`);
    const made: string[] = [];
    const failure = await fill(async () => made.push((await addKey(catalog, { description: 'x'.repeat(3000) })).keyId));
    expect(failure).toMatchObject({ code: 'KMS_INTERNAL', cause: { code: 'SQLITE_FULL' } });
    expect((await catalog.listKeys(scope, undefined, 100)).map((key) => key.keyId)).toEqual(made.sort());
    expect(connection.pragma('integrity_check', { simple: true })).toBe('ok');

    connection.pragma('max_page_count = 1000000');
    await addKey(catalog);
    await database.close();
  });

  it('leaves no part of a commit behind when the disk fills up in the middle of it', async () => {
    await makeCatalog();
    const connection = openConnection(path, 100);
    const database = new SqliteCatalogDatabase(connection, systemClock, 100);
    const catalog = catalogOn(database, systemClock);
    const key = keyRecord();
    await catalog.openIntent(intentFor(key));
    connection.pragma(`max_page_count = ${Number(connection.pragma('page_count', { simple: true }))}`);
    // The key's row fits into its page; the material's does not.
    const material = { ...materialOf(key), label: 'x'.repeat(20_000) };
    await expect(catalog.commitKey(key, material)).rejects.toMatchObject({ cause: { code: 'SQLITE_FULL' } });
    expect(await catalog.findKey(scope, key.keyId)).toBeUndefined();
    expect(await catalog.findIntent(key.currentMaterialId)).toMatchObject({ state: 'open' });
    await database.close();
  });

  it('answers a read-only catalog with a typed error', async () => {
    await makeCatalog();
    const connection = openConnection(path, 100);
    const database = new SqliteCatalogDatabase(connection, systemClock, 100);
    connection.pragma('query_only = ON');
    await expect(addKey(catalogOn(database, systemClock))).rejects.toMatchObject({
      code: 'KMS_INTERNAL',
      cause: { code: 'SQLITE_READONLY' },
    });
    await database.close();
  });

  it('waits for another writer, serving reads meanwhile, and gives up within the bound', async () => {
    await makeCatalog();
    const catalog = await openSqliteCatalog({ path, clock: systemClock, busyTimeoutMs: 100 });
    const key = await addKey(catalog);
    const other = new Sqlite(path);
    other.exec('begin immediate');
    const write = addKey(catalog).catch((error: unknown) => error);
    expect(await catalog.findKey(scope, key.keyId)).toEqual(key);
    expect(await write).toMatchObject({ code: 'KMS_INTERNAL', cause: { code: 'SQLITE_BUSY' } });

    const patient = addKey(catalog);
    other.exec('rollback');
    other.close();
    expect(await catalog.findKey(scope, (await patient).keyId)).toBeDefined();
    await catalog.close();
  });

  it('answers calls after close with a typed error', async () => {
    await makeCatalog();
    const catalog = await open();
    await catalog.close();
    await expect(catalog.findKey(scope, 'any')).rejects.toMatchObject({ code: 'KMS_INTERNAL' });
    await expect(addKey(catalog)).rejects.toMatchObject({ code: 'KMS_INTERNAL' });
  });

  it('finishes calls under way before it closes', async () => {
    await makeCatalog();
    const catalog = await open();
    const writes = Array.from({ length: 20 }, () =>
      addKey(catalog).then(
        (key) => key.keyId,
        () => undefined,
      ),
    );
    await Promise.all([catalog.close(), ...writes]);
    const again = await open();
    const stored = (await again.listKeys(scope, undefined, 100)).map((key) => key.keyId);
    const acknowledged = (await Promise.all(writes)).filter((keyId) => keyId !== undefined);
    expect(stored).toEqual(expect.arrayContaining(acknowledged));
    await again.close();
  });
});

/** Repeats a task until it fails. */
async function fill(task: () => Promise<unknown>): Promise<unknown> {
  for (;;) {
    try {
      await task();
    } catch (error) {
      return error;
    }
  }
}

/** Root may write to a file of any mode, but not to an immutable one. @returns a function that undoes it. */
function makeReadOnly(file: string): (() => void) | undefined {
  if (process.geteuid?.() !== 0) {
    chmodSync(file, 0o400);
    return () => chmodSync(file, 0o600);
  }
  if (spawnSync('chattr', ['+i', file]).status !== 0) return undefined;
  return () => void spawnSync('chattr', ['-i', file]);
}
