import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, expect, test } from 'vitest';
import type { CatalogSnapshot, SnapshotContent } from '../../src/backup/ports.js';
import { waitFor } from '../wait-for.js';
import { backupsOf, closeSite, ended, type Site, site, storageOf } from './backup-site.js';
import { clusterId } from './fixture.js';

/** A verification looks into the catalog of the archive: its MACs say who made it, not that a restore can use it. */

afterEach(closeSite);

interface Spoiled {
  /** Run on the snapshot, after it was found sound. */
  sql?: string;
  content?: Partial<SnapshotContent>;
}

/** Makes and verifies an archive with right MACs over a wrong catalog. */
async function verified(here: Site, { sql, content }: Spoiled): Promise<unknown> {
  const storage = storageOf(here);
  const take = async (): Promise<CatalogSnapshot> => {
    const taken = await storage.snapshots.take();
    const materials = taken.materials(clusterId, undefined, 10);
    const bytes = spoil(here, sql);
    return {
      content: { ...taken.content, bytes, ...content },
      bytes: () => taken.bytes(),
      materials: () => materials,
      discard: () => taken.discard(),
    };
  };
  const backups = backupsOf(here, { storage: { ...storage, snapshots: { take } } });
  const { backupId } = await ended(backups, await backups.startBackup());
  await waitFor(() => backups.startVerification(backupId));
  return waitFor(async () => {
    const found = await backups.find(backupId);
    expect(found?.verification).not.toBeNull();
    expect(readdirSync(here.folder)).toEqual([found!.fileName]);
    return [found!.verification, found!.verificationFailure];
  });
}

/** @returns the length of the file afterwards */
function spoil({ folder }: Site, sql = ''): number {
  const name = readdirSync(folder).find((each) => each.startsWith('.catalog.snapshot.'));
  const path = join(folder, name!);
  const connection = new Database(path);
  connection.pragma('foreign_keys = OFF');
  connection.unsafeMode();
  connection.exec(sql);
  connection.close();
  return statSync(path).size;
}

const inArchive = 'The catalog in the archive';

test('an archive whose catalog is as its manifest says passes', async () => {
  expect(await verified(await site(2), {})).toEqual(['PASSED', null]);
});

test('a catalog that counts otherwise than the manifest fails', async () => {
  expect(await verified(await site(2), { content: { keys: 3 } })).toEqual([
    'FAILED',
    `${inArchive} has another number of keys than its manifest says: 2, not 3.`,
  ]);
});

test('a catalog with references that lead nowhere fails', async () => {
  const [verdict, failure] = (await verified(await site(1), { sql: 'delete from keys' })) as string[];
  expect([verdict, failure]).toEqual(['FAILED', expect.stringContaining('references lead nowhere')]);
});

test('a catalog with what no version of Holdfast makes fails', async () => {
  const sql = 'create view strange as select 1';
  const [verdict, failure] = (await verified(await site(1), { sql })) as string[];
  expect([verdict, failure]).toEqual(['FAILED', expect.stringContaining('it has the view "strange"')]);
});

test('a catalog with a damaged page fails', async () => {
  const sql = `pragma writable_schema = on; update sqlite_schema set rootpage = 3 where name = 'backups_by_date'`;
  const [verdict, failure] = (await verified(await site(1), { sql })) as string[];
  expect([verdict, failure]).toEqual(['FAILED', expect.stringMatching(/^The catalog in the archive cannot be used: /)]);
});
