import { createHash, createHmac } from 'node:crypto';
import type { BackupMacs } from '../../src/backup/archive-macs.js';
import { type ArchivePart, readArchive } from '../../src/backup/archive-reader.js';
import { ArchiveWriter, signMaterial } from '../../src/backup/archive-writer.js';
import { authenticate } from '../../src/backup/authenticate.js';
import {
  decodeHeader,
  encodeHeader,
  encodeJson,
  firstLine,
  headerBytes,
  type RecordKind,
} from '../../src/backup/format.js';
import type { Manifest } from '../../src/backup/manifest.js';
import type { ArchivedAbsence, ArchivedMaterial } from '../../src/backup/records.js';

/** Archives for tests, with MACs by keys in memory. */

/** MACs by a key that is derived from the name of a site, the cluster and the generation. */
export function macsOf(site = 'one'): BackupMacs {
  return {
    make: ({ clusterId, generation, data }) =>
      Promise.resolve(createHmac('sha256', `${site}/${clusterId}/${generation}`).update(data).digest()),
  };
}

export const catalogOfTest = Buffer.alloc(3_000, 'catalog');

export function manifestOf(archiveId = 'a1'.repeat(16), generation = 2): Manifest {
  return {
    format: 'holdfast-backup',
    version: 1,
    archive_id: archiveId,
    created_date: '2026-03-01T10:00:00.000Z',
    holdfast_version: '0.1.0',
    identity: { partition: 'aws', region: 'eu-test-1', accounts: ['111122223333'] },
    catalog: { incarnation_id: 'incarnation', schema_version: 7, bytes: catalogOfTest.length, keys: 4, tombstones: 1 },
    clusters: [
      {
        cluster_id: 'cluster-a',
        name: 'first',
        replication: 'wrapped',
        trust: 'enforced',
        content: 'key-material',
        omission: null,
        generation,
        materials: 3,
      },
      {
        cluster_id: 'cluster-b',
        name: 'second',
        replication: 'none',
        trust: null,
        content: 'catalog-only',
        omission: 'no-replication',
        generation: null,
        materials: 1,
      },
    ],
  };
}

export function materialOf(number: number, change: Partial<ArchivedMaterial> = {}): ArchivedMaterial {
  return {
    cluster_id: 'cluster-a',
    generation: 2,
    account: '111122223333',
    region: 'eu-test-1',
    key_id: `key-${number}`,
    material_id: String(number).repeat(64),
    key_spec: 'SYMMETRIC_DEFAULT',
    key_usage: 'ENCRYPT_DECRYPT',
    label: `arn:aws:kms:eu-test-1:111122223333:key/key-${number}`,
    extractable: true,
    canary_nonce: '0b'.repeat(12),
    canary_ciphertext: '0c'.repeat(48),
    creation_date: '2026-02-01T10:00:00.000Z',
    blob: '0d'.repeat(40),
    ...change,
  };
}

/** A key for MACs. */
export function macMaterialOf(number: number, change: Partial<ArchivedMaterial> = {}): ArchivedMaterial {
  const aes = Object.entries(materialOf(number, change)).filter(([name]) => !name.startsWith('canary_'));
  const kind = { key_spec: 'HMAC_256', key_usage: 'GENERATE_VERIFY_MAC', canary_mac: '0e'.repeat(32) };
  return { ...(Object.fromEntries(aes) as ArchivedMaterial), ...kind };
}

export function absenceOf(number: number): ArchivedAbsence {
  const { cluster_id, account, region, key_id, material_id } = materialOf(number);
  return { cluster_id, account, region, key_id, material_id, reason: 'missing' };
}

/** Writes an archive of two materials, one of them for MACs, and one absence. */
export async function archiveOf(manifest = manifestOf(), macs = macsOf()): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const sink = (bytes: Uint8Array): Promise<void> => Promise.resolve(void chunks.push(Buffer.from(bytes)));
  const writer = await ArchiveWriter.begin(sink, manifest, macs);
  await writer.catalog(catalogOfTest.subarray(0, 2_000));
  await writer.catalog(catalogOfTest.subarray(2_000));
  const generation = manifest.clusters[0]?.generation ?? 0;
  await writer.material(await signMaterial(manifest.archive_id, materialOf(1, { generation }), macs));
  await writer.absence(absenceOf(2));
  await writer.material(await signMaterial(manifest.archive_id, macMaterialOf(3, { generation }), macs));
  await writer.finish(new Date('2026-03-01T10:05:00.000Z'));
  return Buffer.concat(chunks);
}

export async function* inChunks(bytes: Uint8Array, size = 1_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
}

/** Reads and authenticates all of it. */
export async function proved(bytes: Uint8Array, macs = macsOf(), chunkSize?: number): Promise<ArchivePart[]> {
  const parts: ArchivePart[] = [];
  for await (const part of readArchive(inChunks(bytes, chunkSize))) {
    if (part.kind === 'material') await authenticate(part.mac, macs);
    if (part.kind === 'end') for (const mac of part.macs) await authenticate(mac, macs);
    parts.push(part);
  }
  return parts;
}

export interface Piece {
  kind: RecordKind;
  payload: Buffer;
}

/** The records of an archive, to be put together in another way. */
export function piecesOf(archive: Buffer): Piece[] {
  const pieces: Piece[] = [];
  for (let at = firstLine.length; at < archive.length; ) {
    const { kind, lengthBytes } = decodeHeader(archive.subarray(at, at + headerBytes));
    const start = at + headerBytes;
    pieces.push({ kind, payload: archive.subarray(start, start + lengthBytes) });
    at = start + lengthBytes;
  }
  return pieces;
}

export function joined(pieces: readonly Piece[]): Buffer {
  const records = pieces.flatMap(({ kind, payload }) => [encodeHeader(kind, payload.length), payload]);
  return Buffer.concat([Buffer.from(firstLine), ...records]);
}

/** The catalog in an archive. */
export function catalogIn(archive: Buffer): Buffer {
  return Buffer.concat(piecesOf(archive).flatMap(({ kind, payload }) => (kind === 'catalog' ? [payload] : [])));
}

/** The archive with these records, its digest made anew as anyone can; its MACs stay what they were. */
export function resealed(pieces: readonly Piece[]): Buffer {
  const before = pieces.filter(({ kind }) => kind !== 'seal');
  const digest = createHash('sha256').update(joined(before)).digest('hex');
  const seals = pieces.flatMap(({ kind, payload }): Piece[] => {
    if (kind !== 'seal') return [];
    const seal = JSON.parse(payload.toString()) as { digest: string; macs: [] };
    return [{ kind, payload: Buffer.from(encodeJson({ ...seal, digest })) }];
  });
  return joined([...before, ...seals]);
}

/** The archive with another catalog. */
export function withCatalog(archive: Buffer, catalog: Buffer): Buffer {
  const parts: Piece[] = [];
  for (let at = 0; at < catalog.length; at += 100_000)
    parts.push({ kind: 'catalog', payload: catalog.subarray(at, at + 100_000) });
  const pieces = piecesOf(archive).flatMap(({ kind, payload }): Piece[] => {
    if (kind === 'catalog') return [];
    if (kind !== 'manifest') return [{ kind, payload }];
    const manifest = JSON.parse(payload.toString()) as Manifest;
    const changed = { ...manifest, catalog: { ...manifest.catalog, bytes: catalog.length } };
    return [{ kind, payload: Buffer.from(encodeJson(changed)) }, ...parts];
  });
  return resealed(pieces);
}
