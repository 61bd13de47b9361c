import { readFileSync, writeFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { ArchiveRefusal } from '../../src/backup/refusal.js';
import { type ArchivePart, readArchive } from '../../src/backup/archive-reader.js';
import { type ArchiveTools, createArchive, type CreatedArchive } from '../../src/backup/create-archive.js';
import { verifyArchive, type VerifiedArchive } from '../../src/backup/verify-archive.js';
import { systemClock } from '../../src/clock-system.js';
import type { HsmCluster, MaterialReference } from '../../src/clusters/hsm-cluster.js';
import { archiveFolder } from '../../src/storage/archive-folder.js';
import { catalogSnapshots } from '../../src/storage/catalog-snapshot.js';
import { inChunks } from '../backup/archives.js';
import { runCeremony, WrappedCluster } from '../wrapped-cluster.js';
import { clusterId, inTime } from './fixture.js';

/** Archives of a real catalog and real tokens. */

let made: WrappedCluster | undefined;
const signal = new AbortController().signal;

afterEach(async () => {
  await made?.dispose();
  made = undefined;
});

interface Site {
  on: WrappedCluster;
  cluster: HsmCluster;
  tools: ArchiveTools;
  keys: MaterialReference[];
}

async function site(keys: number, members = 2): Promise<Site> {
  const on = await WrappedCluster.make(members);
  made = on;
  const cluster = await on.connected();
  const tools: ArchiveTools = {
    clock: systemClock,
    identity: { partition: 'aws', region: 'eu-central-1', accounts: ['111122223333'] },
    holdfastVersion: '0.0.0',
    clusters: () => [{ clusterId, name: 'primary', replication: 'wrapped', trust: 'enforced' }],
    connectedCluster: (id) => (id === clusterId ? cluster : undefined),
    isMaterialKept: (id) => on.catalog.isMaterialKept(id),
    turn: () => Promise.resolve(),
    callTimeoutMs: 10_000,
  };
  const materials: MaterialReference[] = [];
  // Every other key is one for MACs.
  for (let count = 0; count < keys; count++)
    materials.push((await on.makeKey(cluster, count % 2 === 1 ? 32 : undefined)).material);
  return { on, cluster, tools, keys: materials };
}

async function archive(
  { on, tools }: Site,
  change: Partial<ArchiveTools> = {},
  archiveId = 'ab'.repeat(16),
): Promise<CreatedArchive & { path: string; file: Buffer }> {
  const snapshot = await catalogSnapshots(join(on.folder, 'catalog.db'), on.folder).take();
  const name = `${archiveId}.backup`;
  const target = await archiveFolder(on.folder).create(name);
  try {
    const request = {
      archiveId,
      snapshot,
      sink: (bytes: Uint8Array) => target.write(bytes),
      onProgress: () => undefined,
    };
    const created = await createArchive({ ...tools, ...change }, { ...request, signal });
    await target.publish();
    const path = join(on.folder, name);
    return { ...created, path, file: readFileSync(path) };
  } finally {
    snapshot.discard();
    await target.discard();
  }
}

function verify({ tools }: Site, file: Uint8Array): Promise<VerifiedArchive> {
  const isConfigured = (id: string): boolean => id === clusterId;
  return verifyArchive({ ...tools, isConfigured }, { chunks: inChunks(file), onProgress: () => undefined, signal });
}

async function reasonOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (error instanceof ArchiveRefusal) return error.reason;
    throw error;
  }
  return 'none';
}

async function partsOf(file: Uint8Array): Promise<ArchivePart[]> {
  const parts: ArchivePart[] = [];
  for await (const part of readArchive(inChunks(file))) parts.push(part);
  return parts;
}

const absencesIn = (parts: readonly ArchivePart[]): [string, string][] =>
  parts.flatMap((part) => (part.kind === 'absence' ? [[part.absence.material_id, part.absence.reason]] : []));

test('an archive has the catalog and every key, verifies, and leaves nothing else behind', async () => {
  const here = await site(5);
  const created = await archive(here);
  expect(created).toMatchObject({ isComplete: true, bytes: created.file.length });
  expect(statSync(created.path).mode & 0o777).toBe(0o600);
  expect(readdirSync(here.on.folder).filter((name) => name.includes('partial'))).toEqual([]);
  const parts = await partsOf(created.file);
  const catalog = Buffer.concat(parts.flatMap((part) => (part.kind === 'catalog' ? [part.bytes] : [])));
  expect(catalog.subarray(0, 15).toString()).toBe('SQLite format 3');
  const ids = parts.flatMap((part) => (part.kind === 'material' ? [part.material.material_id] : []));
  expect(ids).toEqual(here.keys.map(({ materialId }) => materialId).sort());
  expect(await verify(here, created.file)).toMatchObject({ proved: 5, unproved: [], isAuthenticated: true });
  const [inventory] = await here.cluster.perform('listMaterialIds', {}, inTime());
  expect([...(inventory?.materialIds ?? [])].sort()).toEqual(ids);
});

test('one bit of the catalog or of a blob that was changed is refused, and so is an archive of other tokens', async () => {
  const here = await site(2);
  const { file } = await archive(here);
  const inCatalog = Buffer.from(file);
  const at = file.indexOf('SQLite format 3') + 5_000;
  inCatalog[at] = file[at]! ^ 1;
  expect(await reasonOf(verify(here, inCatalog))).toBe('wrong-digest');
  const inBlob = Buffer.from(file);
  const blobAt = file.indexOf('"blob":"') + 10;
  inBlob[blobAt] = file[blobAt] === 0x30 ? 0x31 : 0x30;
  // Proofs are under way while the rest is read: either refusal may come first.
  expect(await reasonOf(verify(here, inBlob))).toMatch(/^(not-authentic|wrong-digest)$/);
  await made?.dispose();
  const other = await site(1);
  expect(await reasonOf(verify(other, file))).toBe('not-authentic');
  const elsewhere = { ...other.tools, isConfigured: () => false };
  const request = { chunks: inChunks(file), onProgress: () => undefined, signal };
  expect(await reasonOf(verifyArchive(elsewhere, request))).toBe('wrong-cluster');
});

test('a key that is deleted while the backup runs is recorded as such, and one that is made is not in it', async () => {
  const here = await site(3);
  const [doomed] = here.keys.map(({ materialId }) => materialId).sort();
  let turns = 0;
  const turn = async (): Promise<void> => {
    if (turns++ > 0) return;
    const material = await here.on.catalog.findMaterial(doomed!);
    const scope = { account: '111122223333', region: 'eu-central-1' };
    const date = systemClock.now();
    await here.on.catalog.changeKeyState(scope, material!.keyId, ['Enabled'], {
      state: 'PendingDeletion',
      deletionDate: date,
      pendingDeletionWindowInDays: 7,
    });
    await here.on.catalog.beginDeletion(scope, material!.keyId, date);
    await here.cluster.perform('destroyKeyMaterial', { materialId: doomed! }, inTime());
    await here.on.makeKey(here.cluster);
  };
  const created = await archive(here, { turn });
  expect(created.isComplete).toBe(true);
  const parts = await partsOf(created.file);
  expect(absencesIn(parts)).toEqual([[doomed, 'deleted']]);
  expect(parts.filter(({ kind }) => kind === 'material')).toHaveLength(2);
  expect(here.on.events).not.toContain('material-missing');
  expect(await verify(here, created.file)).toMatchObject({ proved: 2 });
});

test('a key that no member has makes the archive incomplete', async () => {
  const here = await site(3);
  const lost = here.keys[1]!.materialId;
  await here.cluster.perform('destroyKeyMaterial', { materialId: lost }, inTime());
  const created = await archive(here);
  expect(created.isComplete).toBe(false);
  expect(absencesIn(await partsOf(created.file))).toEqual([[lost, 'missing']]);
  expect(created.totals.clusters).toMatchObject([{ materials: 2, missing: 1 }]);
});

test('another member goes on when one dies in the middle', async () => {
  const here = await site(6, 3);
  let turns = 0;
  const turn = (): Promise<void> => {
    if (turns++ === 2) here.on.member(0).fault.remove('device-error');
    return Promise.resolve();
  };
  const created = await archive(here, { turn });
  expect(created).toMatchObject({ isComplete: true, totals: { clusters: [{ materials: 6 }] } });
  expect(await verify(here, created.file)).toMatchObject({ proved: 6 });
});

test('a cluster that is not connected is in the catalog alone, and the archive says so', async () => {
  const here = await site(1);
  const created = await archive(here, { connectedCluster: () => undefined });
  expect(created.isComplete).toBe(false);
  expect(created.manifest.clusters).toMatchObject([
    { content: 'catalog-only', omission: 'not-connected', materials: 1 },
  ]);
  expect(await verify(here, created.file)).toMatchObject({ proved: 0, isAuthenticated: false });
});

test('an archive that was begun before a ceremony verifies after it', async () => {
  const here = await site(2);
  const { file } = await archive(here);
  await runCeremony(here.on.members, 2);
  await here.cluster.perform('listMaterialIds', {}, inTime());
  expect(await verify(here, file)).toMatchObject({ proved: 2, isAuthenticated: true });
  const later = await archive(here, {}, 'cd'.repeat(16));
  expect(later.manifest.clusters).toMatchObject([{ generation: 2 }]);
  const spliced = Buffer.from(file);
  const materialAt = spliced.indexOf('"blob":"') + 8;
  later.file.copy(spliced, materialAt, later.file.indexOf('"blob":"') + 8, later.file.indexOf('"blob":"') + 88);
  expect(await reasonOf(verify(here, spliced))).toMatch(/^(not-authentic|wrong-digest)$/);
});

test('an archive never takes the place of another file', async () => {
  const here = await site(1);
  const path = join(here.on.folder, `${'ab'.repeat(16)}.backup`);
  writeFileSync(path, 'something else');
  await expect(archive(here)).rejects.toThrow('There is something at');
  expect(readFileSync(path, 'utf8')).toBe('something else');
  expect(readdirSync(here.on.folder).filter((name) => name.includes('partial'))).toEqual([]);
});
