import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTestCatalog, takeBackToSchema1 } from '../../test/catalog-file.js';
import { addKey, intentFor, keyRecord, otherScope, owner, scope } from '../../test/contract/catalog-records.js';
import { systemClock } from '../clock-system.js';
import type { KeyRecord } from '../keys/key.js';
import { backupCatalog } from './backup-catalog.js';
import { catalogProblem } from './catalog-problem.js';
import { createSqliteCatalog } from './create-catalog.js';
import { CatalogOpenError } from './database.js';
import { restoredEncryptions } from './adapt-restored.js';
import { restoreCatalog } from './restore-catalog.js';
import { openSqliteCatalog, type SqliteCatalog } from './sqlite.js';

const hooks = fileURLToPath(new URL('../../test/contract/typescript-hooks.mjs', import.meta.url));
const script = (name: string) => fileURLToPath(new URL(`../../test/contract/${name}.ts`, import.meta.url));
const ignore = () => undefined;

let folder: string;
let path: string;
let copy: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-backup-'));
  [path, copy] = [join(folder, 'catalog.db'), join(folder, 'copy.db')];
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = () => openTestCatalog({ path, clock: systemClock });
const backup = () => backupCatalog(path, copy, ignore);
const restore = (source = copy, tombstonesOf?: string) =>
  restoreCatalog({ source, target: path, owner, clock: systemClock, onProgress: ignore, tombstonesOf });
const beginDeletion = (catalog: SqliteCatalog, { keyId }: KeyRecord) =>
  catalog.changeKeyState(scope, keyId, ['Enabled'], {
    state: 'Deleting',
    deletionDate: new Date(0),
    pendingDeletionWindowInDays: 7,
  });
const remove = (): void => {
  for (const end of ['', '-wal', '-shm']) rmSync(path + end, { force: true });
};

/** Large rows: a copy takes several steps. */
function fill(rows: number): void {
  const database = new Sqlite(path);
  const intent = database.prepare(
    "insert into intents values (?, '111122223333', 'eu-central-1', ?, 'cluster-default00001', 'destroyed', 1, 1)",
  );
  database.transaction(() => {
    for (let row = 0; row < rows; row += 1) intent.run(`${row}`.padStart(64, '0'), 'x'.repeat(4_000));
  })();
  database.close();
}

function start(name: string, ...words: string[]): { child: ChildProcess; ended: Promise<unknown> } {
  const child = fork(script(name), words, {
    execArgv: ['--import', hooks],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  return { child, ended: once(child, 'exit') };
}

describe('a backup', () => {
  it('copies a catalog in use to one complete private file, with everything acknowledged before the backup', async () => {
    const catalog = await open();
    const key = await addKey(catalog);
    expect(await backup()).toMatchObject({ keys: 1, incarnationId: catalog.incarnationId, bytes: statSync(copy).size });
    expect(statSync(copy).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder).filter((name) => name.includes('copy'))).toEqual(['copy.db']);
    await catalog.close();
    expect(catalogProblem(copy, owner)).toBeUndefined();
    const copied = await openSqliteCatalog({ path: copy, clock: systemClock });
    expect(await copied.findKey(scope, key.keyId)).toEqual(key);
    await copied.close();
  });

  it('completes while another process keeps writing, and contains the state of one moment', async () => {
    await (await open()).close();
    fill(1_000);
    const writer = start('catalog-writer', path);
    while (((await once(writer.child, 'message'))[0] as { keyId?: string }).keyId === undefined);
    await backup();
    writer.child.kill('SIGKILL');
    await writer.ended;
    const database = new Sqlite(copy, { readonly: true });
    const count = (table: string) => database.prepare(`select count(*) from ${table}`).pluck().get();
    expect(count('materials')).toBe(count('keys'));
    expect(count('keys')).toBeGreaterThan(0);
    database.close();
  });

  it('replaces no file, and is made only of a sound catalog', async () => {
    await (await open()).close();
    writeFileSync(copy, 'an older backup');
    await expect(backup()).rejects.toThrow(/There is something at .*copy.db, and nothing was changed/);
    expect(readFileSync(copy, 'utf8')).toBe('an older backup');
    rmSync(copy);
    truncateSync(path, 4_096);
    await expect(backup()).rejects.toThrow(/damaged or cut off/);
    await expect(backupCatalog(path, join(folder, 'no', 'copy.db'), ignore)).rejects.toBeInstanceOf(CatalogOpenError);
    expect(readdirSync(folder).filter((name) => !name.startsWith('catalog.db'))).toEqual([]);
  });
});

describe('a restore', () => {
  it('brings back the records, raises every count, holds deletions, and forgets unfinished creates', async () => {
    const catalog = await open();
    const [used, unused] = [await addKey(catalog), await addKey(catalog)];
    await catalog.reserveEncryptions(used.currentMaterialId, 65_536);
    const underWay = keyRecord();
    await catalog.openIntent(intentFor(underWay));
    await backup();
    await catalog.close();
    remove();
    expect(await restore()).toMatchObject({ keys: 2, raisedMaterials: 2, forgottenIntents: 1 });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const restored = await openSqliteCatalog({ path, clock: systemClock });
    // A new one, which follows the one of the backup.
    expect(restored.incarnationId).not.toBe(catalog.incarnationId);
    expect((await restored.readEpoch()).predecessorIds).toEqual([catalog.incarnationId]);
    expect(await restored.findKey(scope, used.keyId)).toEqual(used);
    expect(await restored.reserveEncryptions(used.currentMaterialId, 1)).toBe(65_536 + restoredEncryptions + 1);
    expect(await restored.reserveEncryptions(unused.currentMaterialId, 1)).toBe(restoredEncryptions + 1);
    expect((await restored.findTimeRecord())?.hold?.reason).toBe('restored');
    // Its create may have committed after the backup; then this material belongs to a key.
    expect(await restored.findIntent(underWay.currentMaterialId)).toBeUndefined();
    await restored.close();
  });

  it('keeps deleted the keys that the newer catalog says are deleted, and follows it', async () => {
    const catalog = await open();
    const [before, left] = [await addKey(catalog), await addKey(catalog)];
    await backup();
    const since = await addKey(catalog);
    const begun = await addKey(catalog);
    for (const key of [before, since, begun]) await beginDeletion(catalog, key);
    for (const { keyId } of [before, since]) await catalog.completeDeletion(scope, keyId, new Date(1));
    await catalog.close();
    const newer = join(folder, 'newer.db');
    renameSync(path, newer);
    expect(await restore(copy, newer)).toMatchObject({ mergedTombstones: 3 });
    const restored = await openSqliteCatalog({ path, clock: systemClock });
    const states = await Promise.all(
      [before, since, begun, left].map(async ({ keyId }) => (await restored.findKey(scope, keyId))?.state),
    );
    expect(states).toEqual(['Deleted', 'Deleted', 'Deleting', 'Enabled']);
    expect((await restored.findMaterial(before.currentMaterialId))?.destroyedDate).not.toBeNull();
    expect((await restored.findMaterial(since.currentMaterialId))?.destroyedDate).not.toBeNull();
    expect((await restored.readEpoch()).predecessorIds).toContain(catalog.incarnationId);
    await restored.close();
    expect(catalogProblem(path, owner)).toBeUndefined();
  });

  it('takes over no deletions of a catalog that is broken, and is not made then', async () => {
    await (await open()).close();
    await backup();
    truncateSync(path, 4_096);
    const newer = join(folder, 'newer.db');
    renameSync(path, newer);
    await expect(restore(copy, newer)).rejects.toThrow(/newer.db is damaged or cut off/);
    expect(existsSync(path)).toBe(false);
  });

  it('accepts a backup of an older version, and raises the counts twice if restored twice', async () => {
    const catalog = await open();
    const key = await addKey(catalog);
    await catalog.close();
    const database = new Sqlite(path);
    takeBackToSchema1(database);
    database.close();
    renameSync(path, copy);
    await restore();
    await backupCatalog(path, `${copy}.2`, ignore);
    remove();
    await restore(`${copy}.2`);
    const restored = await openSqliteCatalog({ path, clock: systemClock });
    expect(await restored.reserveEncryptions(key.currentMaterialId, 1)).toBe(2 * restoredEncryptions + 1);
    await restored.close();
  });

  it.each([
    ['anything that is there', () => writeFileSync(path, ''), /There is something at/],
    ['what a catalog left', () => writeFileSync(`${path}-wal`, 'changes'), /removed or renamed/],
    ['from a catalog in use', () => writeFileSync(`${copy}-wal`, 'changes'), /write-ahead log beside it/],
    ['from a truncated file', () => truncateSync(copy, 4_096), /copy.db is damaged or cut off/],
    ['from an empty file', () => truncateSync(copy), /copy.db is empty/],
    ['from a file that is not a catalog', () => writeFileSync(copy, 'x'.repeat(5_000)), /copy.db.*SQLITE_NOTADB/],
    ['from a missing file', () => rmSync(copy), /does not exist/],
  ])('restores nothing %s', async (_, spoil, message) => {
    const catalog = await open();
    await addKey(catalog);
    await backup();
    await catalog.close();
    remove();
    spoil();
    const before = readdirSync(folder);
    const failure = await restore().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(CatalogOpenError);
    expect((failure as Error).message).toMatch(message);
    expect(readdirSync(folder)).toEqual(expect.arrayContaining(before));
    expect(existsSync(path) && statSync(path).size > 0).toBe(false);
  });

  it('refuses the backup of another deployment', async () => {
    const catalog = await open();
    await addKey(catalog, otherScope);
    await backup();
    await catalog.close();
    remove();
    await expect(restore()).rejects.toThrow(/another|of account/);
    expect(existsSync(path)).toBe(false);
  });

  it('refuses while a process uses the catalog of that name, though its file was moved away', async () => {
    const catalog = await open();
    await addKey(catalog);
    await backup();
    for (const end of ['', '-wal', '-shm']) renameSync(path + end, `${path}.old${end}`);
    const { child, ended } = start('catalog-copier', 'restore', copy, path);
    expect(await ended).not.toEqual([0, null]);
    expect(child.exitCode).not.toBe(0);
    await expect(restore()).rejects.toThrow(/Another process uses the catalog/);
    expect(existsSync(path)).toBe(false);
    await catalog.close();
    await restore();
  });
});

describe('a process that is killed in the middle of its work', () => {
  it.each([
    ['init', [1]],
    ['backup', [2, 5]],
    ['restore', [2, 3]],
  ])('%s leaves nothing or a whole catalog, and the next one clears up', async (act, kills) => {
    await (await open()).close();
    fill(1_500);
    await backup();
    const target = join(folder, 'target.db');
    const source = act === 'restore' ? copy : path;
    for (const steps of kills) {
      const { child, ended } = start('catalog-copier', act, source, target);
      let seen = 0;
      child.on('message', () => {
        seen += 1;
        if (seen === steps) child.kill('SIGKILL');
      });
      await ended;
      if (!existsSync(target)) continue;
      expect(catalogProblem(target)).toBeUndefined();
      rmSync(target);
    }
    if (act === 'init') await createSqliteCatalog(target, systemClock);
    else if (act === 'backup') await backupCatalog(source, target, ignore);
    else await restoreCatalog({ source, target, owner, clock: systemClock, onProgress: ignore });
    expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
    expect(catalogProblem(target)).toBeUndefined();
  });
});
