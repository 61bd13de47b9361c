import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { systemClock } from '../clock-system.js';
import { catalogProblem } from './catalog-problem.js';
import { createSqliteCatalog } from './create-catalog.js';
import { CatalogOpenError } from './database.js';
import { StagedCatalog } from './staged-catalog.js';

vi.mock('node:fs', async (importOriginal) => {
  const original = await importOriginal<typeof fs>();
  return { ...original, linkSync: vi.fn(original.linkSync) };
});

let folder: string;
const at = (name: string): string => join(folder, name);
const owner = { identity: { partition: 'aws', region: 'eu-test-1', accounts: ['111122223333'] }, clusterIds: ['one'] };
const place = { owner, clock: systemClock };
/** The catalog of an archive. */
let archived: Buffer;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-staged-'));
  await createSqliteCatalog(at('archived'), systemClock);
  archived = readFileSync(at('archived'));
});
afterEach(() => {
  vi.mocked(fs.linkSync).mockReset();
  rmSync(folder, { recursive: true });
});

async function* chunks(bytes = archived): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += 65_536)
    yield await Promise.resolve(bytes.subarray(start, start + 65_536));
}

/** A restore that learned of a refused PIN and was ended. */
async function endedRestore(): Promise<void> {
  const staged = StagedCatalog.claim(at('catalog'));
  await staged.makeEmpty(systemClock);
  const connection = new Sqlite(staged.path);
  connection
    .prepare("insert or replace into login_attempts values ('serial', 'given:1', 'failed', 1, null, null)")
    .run();
  connection.close();
  staged.close();
}

function refusedIn(path: string): unknown[] {
  const connection = new Sqlite(path, { readonly: true });
  try {
    return connection.prepare("select credential_version from login_attempts where state = 'failed'").pluck().all();
  } finally {
    connection.close();
  }
}

it.each(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])(
  'is published without hard links (%s), and replaces nothing',
  async (code) => {
    vi.mocked(fs.linkSync).mockImplementation(() => {
      throw Object.assign(new Error(code), { code, syscall: 'link' });
    });
    const staged = StagedCatalog.claim(at('catalog'));
    await staged.makeEmpty(systemClock);
    await staged.fill(chunks(), place);
    writeFileSync(at('catalog'), 'mine');
    expect(() => staged.publish()).toThrow('There is something at');
    expect(readFileSync(at('catalog'), 'utf8')).toBe('mine');
    rmSync(at('catalog'));
    staged.publish();
    staged.close();
    expect(catalogProblem(at('catalog'), owner)).toBeUndefined();
    expect(readdirSync(folder).sort()).toEqual(['archived', 'catalog', 'catalog-lock']);
  },
);

it.each<[string, (path: string) => void]>([
  ['a folder', (path) => mkdirSync(path)],
  [
    'a folder with a file',
    (path) => {
      mkdirSync(path);
      writeFileSync(join(path, 'file'), 'mine');
    },
  ],
  ['a link to nowhere', (path) => symlinkSync(at('nowhere'), path)],
  ['a link to a catalog', (path) => symlinkSync(at('archived'), path)],
  [
    'a text',
    (path) => writeFileSync(path, 'mine, and longer than the header of a database, so that it is no beginning'),
  ],
  ['a short text', (path) => writeFileSync(path, 'mine')],
  [
    "another program's database",
    (path) => {
      const other = new Sqlite(path);
      other.exec('create table mine (a)');
      other.close();
    },
  ],
  ['a folder beside it', (path) => mkdirSync(`${path}-wal`)],
])('%s at its place is left as it is', (_, put) => {
  put(at('catalog.restoring'));
  const before = readdirSync(folder, { recursive: true }).sort();
  expect(() => StagedCatalog.claim(at('catalog'))).toThrow(
    /and it is of no restore\. Nothing was changed\. Move it away\./,
  );
  expect(readdirSync(folder, { recursive: true }).sort()).toEqual([...before, 'catalog-lock'].sort());
  // Another one is not kept out.
  for (const end of ['', '-wal']) rmSync(at(`catalog.restoring${end}`), { recursive: true, force: true });
  StagedCatalog.claim(at('catalog')).close();
});

it('what an ended restore left is replaced, whatever archive it is of, and the refused PINs are kept', async () => {
  await endedRestore();
  writeFileSync(at('catalog.restoring'), readFileSync(at('catalog.restoring')).subarray(0, -1));
  for (const left of [
    Buffer.alloc(0),
    archived.subarray(0, 10),
    archived.subarray(0, 70),
    archived.subarray(0, 5_000),
    archived,
  ]) {
    await endedRestore();
    StagedCatalog.claim(at('catalog')).close();
    writeFileSync(at('catalog.restoring'), left, { mode: 0o600 });
    const staged = StagedCatalog.claim(at('catalog'));
    await staged.makeEmpty(systemClock);
    expect(refusedIn(staged.path)).toEqual(['given:1']);
    await staged.fill(chunks(), place);
    expect(refusedIn(staged.path)).toEqual(['given:1']);
    staged.close();
  }
});

it('an archive that is refused leaves nothing of its catalog, and the refused PINs', async () => {
  await endedRestore();
  const staged = StagedCatalog.claim(at('catalog'));
  await expect(staged.fill(chunks(Buffer.alloc(9_000, 'no database')), place)).rejects.toThrow(CatalogOpenError);
  staged.close();
  expect(existsSync(staged.path)).toBe(false);
  const again = StagedCatalog.claim(at('catalog'));
  await again.fill(chunks(), place);
  expect(refusedIn(again.path)).toEqual(['given:1']);
  again.close();
});

it.each<[string, (path: string) => void]>([
  ['a folder', (path) => mkdirSync(path)],
  ['no JSON', (path) => writeFileSync(path, '{')],
  ['other rows', (path) => writeFileSync(path, JSON.stringify([{ 'state) values (1); --': 1 }]))],
])('a memory that is %s is not believed, nor removed', async (_, put) => {
  put(at('catalog.restoring-logins'));
  const staged = StagedCatalog.claim(at('catalog'));
  await expect(staged.makeEmpty(systemClock)).rejects.toThrow(
    /is not what a restore remembers of refused PINs\. Move it away to go on/,
  );
  staged.close();
  expect(lstatSync(at('catalog.restoring-logins'), { throwIfNoEntry: false })).toBeDefined();
});

/** Only root may mount, and not in every container. */
function mounted(kibibytes: number): string | undefined {
  const path = at('small');
  mkdirSync(path, { mode: 0o700 });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kibibytes}k,mode=700`, 'tmpfs', path], { stdio: 'ignore' });
    return path;
  } catch {
    return undefined;
  }
}

it('a full disk is said, and costs neither the place nor what is known of PINs', async (context) => {
  const small = mounted(1_024);
  if (small === undefined) return context.skip();
  try {
    const target = join(small, 'catalog');
    const outcomes = new Set<string>();
    for (let free = 40; free <= 960; free += 40) {
      writeFileSync(`${target}.restoring-logins`, JSON.stringify([attempt]), { mode: 0o600 });
      const staged = StagedCatalog.claim(target);
      writeFileSync(join(small, 'ballast'), Buffer.alloc((1_000 - free) * 1_024));
      const failure: unknown = await staged.makeEmpty(systemClock).then(
        () => staged.fill(chunks(), place).catch((error: unknown) => error),
        (error: unknown) => error,
      );
      staged.close();
      const isFull = failure instanceof CatalogOpenError && /[Mm]ake room/.test(failure.message);
      outcomes.add(isFull ? 'full' : failure instanceof Error ? failure.message : 'filled');
      expect([existsSync(staged.path), existsSync(target)]).toEqual([!isFull, false]);
      expect(JSON.parse(readFileSync(`${target}.restoring-logins`, 'utf8'))).toHaveLength(1);
      rmSync(staged.path, { force: true });
    }
    expect([...outcomes]).toEqual(['full', 'filled']);
  } finally {
    execFileSync('umount', [small]);
  }
});

const attempt = { token_serial_number: 'serial', credential_version: 'given:1', state: 'failed', claimed_date: 1 };
