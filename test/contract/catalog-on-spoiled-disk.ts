/**
 * A process that makes, backs up and restores catalogs by the command line, each on a disk that is first spoiled and
 * then repaired. It may mount anything: its mount namespace is its own, and ends with it.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { systemClock } from '../../src/clock-system.js';
import { exampleConfiguration } from '../../src/config/example.js';
import { catalogProblem } from '../../src/storage/catalog-problem.js';
import { holdfast } from '../cli/session.js';
import { openTestCatalog } from '../catalog-file.js';
import { addKey, scope } from './catalog-records.js';

const [root = '', cases = '[]'] = process.argv.slice(2);

const clusterId = 'cluster-abcdefghijk';

interface Place {
  /** A folder on a sound disk, for configuration and audit log. */
  own: string;
  /** A folder with a file system of its own. */
  disk: string;
}

/** Spoils a disk. @returns how to repair it */
const spoilers: Record<string, (disk: string) => () => void> = {
  /** Leaves a few pages: a name can be created, a catalog cannot. */
  'nearly full'(disk) {
    const size = fill(join(disk, 'filler'));
    execFileSync('truncate', ['-s', String(size - 5 * 4_096), join(disk, 'filler')]);
    return () => rmSync(join(disk, 'filler'));
  },
  'completely full'(disk) {
    fill(join(disk, 'filler'));
    return () => rmSync(join(disk, 'filler'));
  },
  'without inodes'(disk) {
    const names: string[] = [];
    try {
      for (let index = 0; ; index += 1) {
        writeFileSync(join(disk, `i${index}`), '');
        names.push(join(disk, `i${index}`));
      }
    } catch {
      // The file system has no inodes left.
    }
    return () => names.forEach((name) => rmSync(name));
  },
  'read-only'(disk) {
    execFileSync('mount', ['-o', 'remount,ro', disk]);
    return () => execFileSync('mount', ['-o', 'remount,rw', disk]);
  },
  /** Lowers this process's soft limit on the size of a file, which can be raised again. */
  limited() {
    const limit = (size: string): unknown =>
      execFileSync('prlimit', [`--fsize=${size}:`, '--pid', String(process.pid)]);
    limit('8192');
    return () => limit('unlimited');
  },
};

/** @returns how many bytes were accepted */
function fill(path: string): number {
  let size = 0;
  try {
    for (; ; size += 4_096) writeFileSync(path, Buffer.alloc(4_096), { flag: 'a' });
  } catch {
    return size;
  }
}

function place(name: string, mounts: boolean): Place {
  const [own, disk] = [join(root, name, 'own'), join(root, name, 'disk')];
  for (const folder of [own, disk]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (mounts) execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m,nr_inodes=32,mode=700', 'none', disk]);
  return { own, disk };
}

function configure({ own }: Place, catalog: string, audit = join(own, 'audit.log')): string {
  const tree = parse(exampleConfiguration(clusterId)) as Record<string, unknown>;
  const path = join(own, 'holdfast.yaml');
  const changed = { ...tree, catalog: { kind: 'sqlite', path: catalog }, audit: { file: audit } };
  writeFileSync(path, stringify(changed, { aliasDuplicateObjects: false }));
  return path;
}

async function usedCatalog(path: string): Promise<void> {
  const catalog = await openTestCatalog({ path, clock: systemClock });
  for (let count = 0; count < 20; count += 1) await addKey(catalog, { ...scope, clusterId });
  await catalog.close();
}

/** The arguments of a command whose inputs exist; `kept` must not change, `made` must exist at the end. */
const preparations: Record<string, (place: Place) => Promise<{ words: string[]; kept: string[]; made: string }>> = {
  init: (at) => {
    const made = join(at.disk, 'catalog.sqlite');
    return Promise.resolve({ words: ['catalog', 'init', '--config', configure(at, made)], kept: [], made });
  },
  async backup(at) {
    const [catalog, made] = [join(at.own, 'catalog.sqlite'), join(at.disk, 'copy.sqlite')];
    await usedCatalog(catalog);
    return { words: ['catalog', 'backup', made, '--config', configure(at, catalog)], kept: [catalog], made };
  },
  async 'backup from the disk'(at) {
    const [catalog, made] = [join(at.disk, 'catalog.sqlite'), join(at.own, 'copy.sqlite')];
    await usedCatalog(catalog);
    return { words: ['catalog', 'backup', made, '--config', configure(at, catalog)], kept: [catalog], made };
  },
  async restore(at) {
    const [backup, made, old] = ['own/backup.sqlite', 'disk/catalog.sqlite', 'disk/old.sqlite'].map((name) =>
      join(at.own, '..', name),
    ) as [string, string, string];
    await usedCatalog(backup);
    await usedCatalog(old);
    return { words: ['catalog', 'restore', backup, '--config', configure(at, made)], kept: [backup, old], made };
  },
  'init, unaudited': (at) => {
    const made = join(at.own, 'catalog.sqlite');
    const words = ['catalog', 'init', '--config', configure(at, made, join(at.disk, 'audit.log'))];
    return Promise.resolve({ words, kept: [], made });
  },
};

/** The catalogs in the directory, without fillers, locks, audit logs, and the files that SQLite keeps beside one. */
function catalogsIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.includes('.sqlite') && !/-(lock|wal|shm)$/.test(name));
}

const digest = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

async function tried(act: string, kind: string) {
  const at = place(`${act}-${kind}`.replaceAll(/[ ,]/g, '-'), kind !== 'limited');
  const prepared = await preparations[act]?.(at);
  if (prepared === undefined) throw new Error(`No act is called ${act}.`);
  const { words, kept, made } = prepared;
  const [digests, before] = [kept.map(digest), [at.own, at.disk].map(catalogsIn)];
  const mend = spoilers[kind]?.(at.disk);
  const first = await holdfast(words);
  const after = [at.own, at.disk].map(catalogsIn);
  const keptAfter = kept.map(digest);
  mend?.();
  const again = await holdfast(words);
  return {
    ...{ act, kind, first: { exitCode: first.exitCode, stderr: first.stderr } },
    ...{ unchanged: JSON.stringify([digests, before]) === JSON.stringify([keptAfter, after]), after },
    ...{ again: { exitCode: again.exitCode, stderr: again.stderr }, problem: catalogProblem(made)?.message ?? null },
  };
}

const outcomes = [];
for (const [act, kind] of JSON.parse(cases) as [string, string][]) outcomes.push(await tried(act, kind));
process.stdout.write(JSON.stringify(outcomes));
