import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTestCatalog } from '../../test/catalog-file.js';
import { ManualClock } from '../../test/manual-clock.js';
import { systemClock } from '../clock-system.js';
import { Presence } from '../coordination/presence.js';
import type { SqliteCatalog } from '../storage/sqlite.js';
import { CatalogWatch } from './catalog-watch.js';
import { waitFor } from '../../test/wait-for.js';

let folder: string;
let path: string;
let catalog: SqliteCatalog;
let clock: ManualClock;
let watch: CatalogWatch;
let presence: Presence;
const told: string[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-watch-'));
  path = join(folder, 'catalog.db');
  catalog = await openTestCatalog({ path, clock: systemClock, busyTimeoutMs: 20 });
  clock = new ManualClock();
  told.length = 0;
  presence = new Presence(catalog, 'a process');
  watch = new CatalogWatch(clock, () => presence.beat(), {
    unwritable: (cause) => told.push(`unwritable: ${(cause as Error).message}`),
    writableAgain: () => told.push('writable again'),
  });
});

afterEach(async () => {
  watch.stop();
  await catalog.close();
  rmSync(folder, { recursive: true });
});

/** Repeats the check until the watch reports this. Nothing else writes here, so only a check can notice a change. */
const becomes = (writable: boolean) =>
  waitFor(() => {
    clock.advance(5_000);
    expect(watch.writable).toBe(writable);
  });

test('a missing file is reported once, and again when it is back', async () => {
  renameSync(path, `${path}.away`);
  await becomes(false);
  clock.advance(5_000);
  renameSync(`${path}.away`, path);
  await becomes(true);
  expect(told).toEqual(['unwritable: The catalog is not available.', 'writable again']);
});

test('another program that locks the catalog makes it unwritable', async () => {
  const another = new Sqlite(path);
  another.exec('begin immediate');
  await becomes(false);
  another.close();
  await becomes(true);
  expect(told).toEqual(['unwritable: The catalog is busy. Try again.', 'writable again']);
});

test('a check writes to the catalog and syncs, so it notices a disk that takes no writes', async () => {
  const another = new Sqlite(path, { readonly: true });
  const version = () => another.pragma('data_version', { simple: true });
  const before = version();
  await presence.beat();
  expect(version()).not.toBe(before);
  another.close();
});
