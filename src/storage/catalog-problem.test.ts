import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openTestCatalog } from '../../test/catalog-file.js';
import { addKey, otherScope, scope } from '../../test/contract/catalog-records.js';
import { systemClock } from '../clock-system.js';
import { catalogProblem } from './catalog-problem.js';
import { createSqliteCatalog } from './create-catalog.js';
import { CatalogOpenError } from './database.js';
import { openSqliteCatalog } from './sqlite.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-problem-'));
  path = join(folder, 'catalog.db');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = () => openSqliteCatalog({ path, clock: systemClock });

/** Made once, because most of the time goes into syncing it. */
const template = mkdtempSync(join(tmpdir(), 'holdfast-problem-'));
beforeAll(async () => {
  path = join(template, 'catalog.db');
  await used([scope]);
});
afterAll(() => rmSync(template, { recursive: true }));

/** The catalog of a used deployment: some keys, all in one file. */
async function used(records?: Parameters<typeof addKey>[1][]): Promise<void> {
  if (records === undefined) {
    copyFileSync(join(template, 'catalog.db'), path);
    return;
  }
  const catalog = await openTestCatalog({ path, clock: systemClock });
  for (const where of records) for (let count = 0; count < 20; count += 1) await addKey(catalog, where);
  await catalog.close();
}

function rawly(task: (connection: Sqlite.Database) => void): void {
  const connection = new Sqlite(path);
  task(connection);
  connection.close();
  chmodSync(path, 0o600);
}

/** Runs the steps in order. */
function steps(...parts: (() => void)[]): () => void {
  return () => {
    for (const part of parts) part();
  };
}

/** Puts something else in place of the catalog. */
const instead = (make: () => void): (() => void) => steps(() => rmSync(path), make);

/**
 * Every way in which a file can fail to be our catalog; `used` makes one before, unless the path should not
 * exist.
 */
const problems: [string, () => void | Promise<void>, string, RegExp][] = [
  ['no file', () => rmSync(path, { force: true }), 'missing', /holdfast catalog init.*restore/],
  ['an empty file', () => truncateSync(path), 'empty', /is empty.*restore/],
  ['a database without tables', instead(() => rawly((c) => c.pragma('user_version = 1'))), 'empty', /restore/],
  ['a folder', instead(() => mkdirSync(path)), 'no-regular-file', /is a folder/],
  ['a device', instead(() => symlinkSync('/dev/null', path)), 'no-regular-file', /is a link to \/dev\/null,/],
  [
    'a link to nothing',
    instead(() => symlinkSync(join(folder, 'gone'), path)),
    'no-regular-file',
    /gone, which does not exist.*Restore/,
  ],
  [
    'a link to a catalog',
    steps(
      () => renameSync(path, `${path}.real`),
      () => symlinkSync(`${path}.real`, path),
    ),
    'no-regular-file',
    /Name the file itself/,
  ],
  [
    "another program's database",
    instead(() => rawly((c) => c.exec('create table theirs (x)'))),
    'another-program',
    /no Holdfast catalog/,
  ],
  ['a text', () => writeFileSync(path, 'x'.repeat(5_000), { mode: 0o600 }), 'damaged', /SQLITE_NOTADB.*restore/],
  ['only its first byte', () => truncateSync(path, 1), 'empty', /restore/],
  ['only its first page', () => truncateSync(path, 4_096), 'damaged', /restore/],
  ['only its first half', () => truncateSync(path, 4_096 * 6), 'damaged', /restore/],
  ['a page of zeroes in it', () => zeroPage(), 'damaged', /restore/],
  ['no metadata', () => rawly((c) => c.exec('delete from catalog_metadata')), 'damaged', /which schema/],
  ['no table of keys', () => rawly((c) => c.exec('pragma foreign_keys = off; drop table keys')), 'damaged', /keys/],
  [
    'a newer schema',
    () => rawly((c) => c.exec('update catalog_metadata set schema_version = 99')),
    'newer-schema',
    /newer/,
  ],
  [
    'a file that others may read',
    () => chmodSync(path, 0o644),
    'mode',
    /If it is this deployment's catalog, .*chmod 600/,
  ],
  ['an empty file that others may read', instead(() => writeFileSync(path, '', { mode: 0o644 })), 'empty', /restore/],
  [
    'a write-ahead log that others may read',
    () => writeFileSync(`${path}-wal`, '', { mode: 0o640 }),
    'mode',
    /chmod 600/,
  ],
  ['a write-ahead log without a catalog', () => renameSync(path, `${path}.gone`), 'left-over', /removed or renamed/],
  ['no folder', () => rmSync(folder, { recursive: true }), 'folder', /mkdir -m 700/],
  [
    'a file as its folder',
    steps(
      () => rmSync(folder, { recursive: true }),
      () => writeFileSync(folder, ''),
    ),
    'folder',
    /no folder/,
  ],
  ['a folder that others may write', () => chmodSync(folder, 0o770), 'folder', /chmod go-w/],
];

function zeroPage(): void {
  const bytes = readFileSync(path);
  bytes.fill(0, 4_096 * 3, 4_096 * 4);
  writeFileSync(path, bytes);
}

describe('a file that is not our catalog', () => {
  it.each(problems)('%s is refused with a remedy, and left as it was', async (_, spoil, kind, remedy) => {
    await used();
    if (kind === 'left-over') writeFileSync(`${path}-wal`, 'changes', { mode: 0o600 });
    await spoil();
    const found = catalogProblem(path);
    expect(found?.kind).toBe(kind);
    expect(`${found?.message} ${found?.remedy}`).toMatch(remedy);
    const before = contentOf(folder);
    const failure = await open().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(CatalogOpenError);
    expect((failure as Error).message).toBe(`${found?.message} ${found?.remedy}`);
    expect(contentOf(folder)).toEqual(before);
  });

  it.runIf(process.geteuid?.() === 0)('a file or folder of another user is refused', async () => {
    await used();
    const nobody = 65_534;
    chownSync(folder, nobody, nobody);
    process.seteuid?.(nobody);
    try {
      expect(catalogProblem(path)).toMatchObject({
        kind: 'owner',
        remedy: expect.stringContaining('Run as that user') as string,
      });
    } finally {
      process.seteuid?.(0);
    }
  });

  it('a catalog in use is accepted, and so is one whose process was killed', async () => {
    await used();
    const catalog = await open();
    await addKey(catalog);
    expect(catalogProblem(path)).toBeUndefined();
    const killed = join(folder, 'killed');
    for (const end of ['', '-wal']) copyFileSync(path + end, killed + end);
    for (const end of ['', '-wal']) chmodSync(killed + end, 0o600);
    expect(catalogProblem(killed)).toBeUndefined();
    await catalog.close();
  });
});

describe('the owner of a catalog', () => {
  const clusterIds = ['cluster-abcdefghijk'];
  const owner = (change: object = {}, clusters = clusterIds) => ({
    identity: { partition: 'aws', region: scope.region, accounts: [scope.account], ...change },
    clusterIds: clusters,
  });

  it('is found by account, region and clusters', async () => {
    await used([{ ...scope, clusterId: 'cluster-abcdefghijk' }]);
    expect(catalogProblem(path, owner())).toBeUndefined();
    expect(catalogProblem(path, owner({ accounts: ['999999999999'] }))).toMatchObject({
      kind: 'another-deployment',
      message: `The catalog holds 20 entries of account ${scope.account} in ${scope.region}, and identity names 999999999999 in ${scope.region}.`,
    });
    expect(catalogProblem(path, owner({ region: 'mars-1' }))?.kind).toBe('another-deployment');
    expect(catalogProblem(path, owner({}, ['cluster-zzzzzzzzzzz']))?.message).toContain(
      'the configuration has no such cluster',
    );
    expect(catalogProblem(path, owner({ accounts: ['999999999999', scope.account] }))).toBeUndefined();
  });

  it('is undetermined while the catalog is empty; a single key of another owner is enough to refuse it', async () => {
    await used([]);
    expect(catalogProblem(path, owner({ region: 'mars-1' }))).toBeUndefined();
    await used([scope, otherScope]);
    expect(catalogProblem(path, owner())?.message).toContain(otherScope.account);
  });
});

describe('making a catalog', () => {
  it.each(problems.filter(([, , kind]) => !['missing', 'folder', 'left-over'].includes(kind)))(
    'never replaces %s',
    async (_, spoil) => {
      await used();
      await spoil();
      const before = contentOf(folder);
      expect(await createSqliteCatalog(path, systemClock)).toBe(false);
      expect(contentOf(folder)).toEqual(before);
    },
  );

  it('is refused if files beside an old one are left, or the folder is not ours alone', async () => {
    writeFileSync(`${path}-wal`, 'changes', { mode: 0o600 });
    await expect(createSqliteCatalog(path, systemClock)).rejects.toThrow(/removed or renamed/);
    rmSync(`${path}-wal`);
    chmodSync(folder, 0o777);
    await expect(createSqliteCatalog(path, systemClock)).rejects.toThrow(/chmod go-w/);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is done by one of several processes, and leaves one file', async () => {
    const made = await Promise.all(Array.from({ length: 8 }, () => createSqliteCatalog(path, systemClock)));
    expect(made.filter(Boolean)).toHaveLength(1);
    expect(readdirSync(folder)).toEqual(['catalog.db']);
  });

  it('removes files of a dead process, and none of a living one', async () => {
    const abandoned = '.catalog.db.4194304-0123456789ab.partial';
    const living = `.catalog.db.${process.ppid}-0123456789ab.partial`;
    for (const name of [abandoned, `${abandoned}-wal`, living]) writeFileSync(join(folder, name), 'half');
    expect(await createSqliteCatalog(path, systemClock)).toBe(true);
    expect(readdirSync(folder).sort()).toEqual([living, 'catalog.db']);
  });
});

describe('a catalog that is lost while it is open', () => {
  it.each([
    ['removed', () => rmSync(path)],
    ['renamed', () => renameSync(path, `${path}.old`)],
    [
      'replaced by a copy',
      steps(
        () => copyFileSync(path, `${path}.copy`),
        () => renameSync(`${path}.copy`, path),
      ),
    ],
    ['left without its write-ahead log', () => rmSync(`${path}-wal`)],
    ['left without its index', () => rmSync(`${path}-shm`)],
    ['cut off', () => truncateSync(path, statSync(path).size / 2)],
    ['emptied', () => truncateSync(path)],
    ['left with an empty write-ahead log', () => truncateSync(`${path}-wal`)],
  ])('takes no change once it is %s', async (_, spoil) => {
    await used();
    const catalog = await open();
    await addKey(catalog);
    spoil();
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await expect(addKey(catalog)).rejects.toMatchObject({
        code: 'KMS_INTERNAL',
        cause: { message: expect.stringMatching(/was (removed or replaced|cut off) while it was in use/) as string },
      });
    }
    await catalog.close();
  });

  it('keeps working if another program made its files smaller but left them whole', async () => {
    await used();
    const catalog = await open();
    for (let keys = 0; keys < 50; keys += 1) await addKey(catalog);
    const another = new Sqlite(path);
    another.exec(
      'create table large (x); insert into large values (zeroblob(1000000)); pragma wal_checkpoint(truncate)',
    );
    await addKey(catalog);
    const before = statSync(path).size;
    another.exec('drop table large; vacuum; pragma wal_checkpoint(truncate)');
    another.close();
    expect(statSync(path).size).toBeLessThan(before);
    await addKey(catalog);
    await catalog.close();
  });
});

/** Names and bytes of all files, without SQLite's shared memory, which holds no records. */
function contentOf(place: string): Record<string, string> {
  const found: Record<string, string> = {};
  try {
    for (const name of readdirSync(place).filter((entry) => !entry.endsWith('-shm'))) {
      const file = join(place, name);
      found[name] = readFileSync(file).toString('base64');
    }
  } catch (error) {
    found['error'] = (error as NodeJS.ErrnoException).code ?? '';
  }
  return found;
}
