import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  absenceOf,
  archiveOf,
  catalogOfTest,
  inChunks,
  joined,
  macMaterialOf,
  macsOf,
  manifestOf,
  materialOf,
  type Piece,
  piecesOf,
  proved,
} from '../../test/backup/archives.js';
import { archiveMacData } from './archive-macs.js';
import { readArchive, readManifest } from './archive-reader.js';
import { ArchiveWriter, signMaterial } from './archive-writer.js';
import { encodeJson, firstLine, maxPayloadBytes } from './format.js';
import { type ArchivedMaterial, type ArchiveSeal, macBytes } from './records.js';
import { ArchiveRefusal, type RefusalReason } from './refusal.js';

const archive = await archiveOf();
const pieces = piecesOf(archive);
const piece = (at: number): Piece => pieces.at(at)!;

async function refusal(bytes: Uint8Array, macs = macsOf()): Promise<RefusalReason> {
  try {
    await proved(bytes, macs);
  } catch (error) {
    if (error instanceof ArchiveRefusal) return error.reason;
    throw error;
  }
  throw new Error('The archive was taken.');
}

/** An archive whose digest is right again; its MACs as the writer's key makes them if there is one. */
async function resealed(changed: readonly Piece[], key?: ReturnType<typeof macsOf>): Promise<Buffer> {
  const body = changed.filter(({ kind }) => kind !== 'seal');
  const digest = createHash('sha256').update(joined(body)).digest('hex');
  const seal = JSON.parse(piece(-1).payload.toString()) as ArchiveSeal;
  const [claimed] = seal.macs;
  if (key !== undefined && claimed !== undefined) {
    const data = archiveMacData('a1'.repeat(16), 'cluster-a', 2, digest);
    claimed.mac = Buffer.from(await key.make({ clusterId: 'cluster-a', generation: 2, data })).toString('hex');
  }
  return joined([...body, { kind: 'seal', payload: Buffer.from(encodeJson({ ...seal, digest })) }]);
}

function replaced(at: number, payload: Uint8Array): Piece[] {
  return pieces.map((old, index) => (index === at ? { ...old, payload: Buffer.from(payload) } : old));
}

describe('an archive', () => {
  it('comes back as it was written, in chunks of any size', async () => {
    for (const size of [1, 7, 1_000, archive.length]) {
      const parts = await proved(archive, macsOf(), size);
      const catalog = parts.flatMap((part) => (part.kind === 'catalog' ? [part.bytes] : []));
      expect(Buffer.concat(catalog).equals(catalogOfTest)).toBe(true);
      expect(parts.flatMap((part) => (part.kind === 'material' ? [part.material] : []))).toEqual([
        materialOf(1),
        macMaterialOf(3),
      ]);
      expect(parts.flatMap((part) => (part.kind === 'absence' ? [part.absence] : []))).toEqual([absenceOf(2)]);
      expect(parts.at(-1)).toMatchObject({
        kind: 'end',
        totals: { clusters: [{ cluster_id: 'cluster-a', materials: 2, missing: 1, deleted: 0, unavailable: 0 }] },
      });
    }
  });

  it('shows its manifest without any key, and without the rest', async () => {
    expect(await readManifest(inChunks(archive.subarray(0, 1_200)))).toEqual(manifestOf());
  });

  it('says that nothing authenticates it if no cluster has key material in it', async () => {
    const whole = manifestOf();
    const manifest = { ...whole, clusters: whole.clusters.slice(1) };
    const chunks: Uint8Array[] = [];
    const writer = await ArchiveWriter.begin((bytes) => Promise.resolve(void chunks.push(bytes)), manifest, macsOf());
    await writer.catalog(catalogOfTest);
    await writer.finish(new Date(0));
    expect((await proved(Buffer.concat(chunks))).at(-1)).toMatchObject({ kind: 'end', macs: [] });
  });

  it('is written in its order, or not at all', async () => {
    const writer = await ArchiveWriter.begin(() => Promise.resolve(), manifestOf(), macsOf());
    await writer.material(await signMaterial('a1'.repeat(16), materialOf(3), macsOf()));
    await expect(writer.absence(absenceOf(2))).rejects.toMatchObject({ reason: 'out-of-order' });
    await expect(writer.finish(new Date(0))).rejects.toMatchObject({ reason: 'wrong-count' });
  });
});

describe('an archive is refused', () => {
  it('with a bit flipped in any byte', async () => {
    for (let at = 0; at < archive.length; at++) {
      const flipped = Buffer.from(archive);
      flipped[at] = flipped[at]! ^ (1 << (at % 8));
      await expect(proved(flipped), `byte ${at}`).rejects.toBeInstanceOf(ArchiveRefusal);
    }
  });

  it('cut off after any byte', async () => {
    for (let length = 0; length < archive.length; length++) {
      await expect(proved(archive.subarray(0, length)), `${length} bytes`).rejects.toMatchObject({
        reason: 'truncated',
      });
    }
  });

  it('with bytes after its end', async () => {
    expect(await refusal(Buffer.concat([archive, Buffer.of(0)]))).toBe('trailing-bytes');
  });

  it('as what it is if it is none, or of a version to come', async () => {
    expect(await refusal(Buffer.from('SQLite format 3, and more'))).toBe('not-an-archive');
    const newer = Buffer.from(archive);
    newer.write('9', firstLine.length - 2);
    expect(await refusal(newer)).toBe('unsupported-version');
  });

  it('with a length over the maximum, before anything of that length is read', async () => {
    const header = Buffer.alloc(5);
    header.writeUInt8(1, 0);
    header.writeUInt32BE(maxPayloadBytes.manifest + 1, 1);
    const endless = (async function* () {
      yield Buffer.concat([Buffer.from(firstLine), header]);
      await Promise.reject(new Error('It went on reading.'));
    })();
    await expect(readArchive(endless).next()).rejects.toMatchObject({ reason: 'too-long' });
  });

  it('with one field of one material changed, even under a right seal', async () => {
    const at = pieces.findIndex(({ kind }) => kind === 'material');
    const material = materialOf(1);
    const mac = piece(at).payload.subarray(0, macBytes);
    for (const field of Object.keys(material) as (keyof ArchivedMaterial)[]) {
      const changed = { ...material, [field]: otherValue(material[field]) };
      const payload = Buffer.concat([mac, encodeJson(changed)]);
      const reason = await refusal(await resealed(replaced(at, payload), macsOf()));
      const expected = { cluster_id: 'wrong-cluster', generation: 'wrong-generation' }[field as string];
      expect(reason, field).toBe(expected ?? 'not-authentic');
    }
  });

  it('with a material that has no canary, half of one, or two', async () => {
    const at = pieces.findIndex(({ kind }) => kind === 'material');
    const mac = piece(at).payload.subarray(0, macBytes);
    const { canary_mac: canaryMac } = macMaterialOf(1) as Extract<ArchivedMaterial, { canary_mac: string }>;
    const aes = Object.entries(materialOf(1));
    const none = Object.fromEntries(aes.filter(([name]) => !name.startsWith('canary_')));
    const half = Object.fromEntries(aes.filter(([name]) => name !== 'canary_nonce'));
    const both = { ...materialOf(1), canary_mac: canaryMac };
    for (const changed of [none, half, both]) {
      const payload = Buffer.concat([mac, encodeJson(changed)]);
      expect(await refusal(await resealed(replaced(at, payload), macsOf()))).toBe('malformed');
    }
  });

  it('with any record changed by someone who has no key, although the digest is right again', async () => {
    const catalogAt = pieces.findIndex(({ kind }) => kind === 'catalog');
    const changed = Buffer.from(piece(catalogAt).payload);
    changed[100] = 0;
    expect(await refusal(await resealed(replaced(catalogAt, changed)))).toBe('not-authentic');
    const manifest = { ...manifestOf(), created_date: '2027-01-01T00:00:00.000Z' };
    expect(await refusal(await resealed(replaced(0, encodeJson(manifest))))).toBe('not-authentic');
    const absence = { ...absenceOf(2), reason: 'deleted' as const };
    const absenceAt = pieces.findIndex(({ kind }) => kind === 'absence');
    expect(await refusal(await resealed(replaced(absenceAt, encodeJson(absence))))).toBe('wrong-count');
  });

  it('spliced of two archives of the same cluster', async () => {
    const other = piecesOf(await archiveOf(manifestOf('b2'.repeat(16))));
    const materialAt = pieces.findIndex(({ kind }) => kind === 'material');
    const spliced = replaced(materialAt, other[materialAt]!.payload);
    expect(await refusal(joined(spliced))).toBe('not-authentic');
    expect(await refusal(await resealed(spliced, macsOf()))).toBe('not-authentic');
    expect(await refusal(joined([...other.slice(0, 3), ...pieces.slice(3)]))).toBe('not-authentic');
    expect(await refusal(joined([...pieces.slice(0, -1), other.at(-1)!]))).toBe('wrong-digest');
  });

  it('with records at other places, twice, or left out', async () => {
    const [manifest, catalog, rest, one, absent, two, totals, seal] = pieces as [Piece, ...Piece[]] & Piece[];
    const arrangements: [RefusalReason, (Piece | undefined)[]][] = [
      ['out-of-order', [catalog, manifest, rest, one, absent, two, totals, seal]],
      ['out-of-order', [manifest, catalog, rest, two, absent, one, totals, seal]],
      ['out-of-order', [manifest, catalog, one, rest, absent, two, totals, seal]],
      ['out-of-order', [manifest, catalog, rest, one, absent, two, seal, totals]],
      ['out-of-order', [manifest, catalog, rest, one, absent, two, seal]],
      ['duplicate', [manifest, catalog, rest, one, one, absent, two, totals, seal]],
      ['wrong-count', [manifest, catalog, rest, one, absent, totals, seal]],
      ['wrong-count', [manifest, catalog, catalog, one, absent, two, totals, seal]],
      ['out-of-order', [manifest, rest, one, absent, two, totals, seal]],
    ];
    for (const [reason, arrangement] of arrangements) {
      const changed = joined(arrangement.filter((record) => record !== undefined));
      expect(await refusal(changed), arrangement.map((record) => record?.kind).join()).toBe(reason);
    }
  });

  it('of another cluster or generation', async () => {
    expect(await refusal(archive, macsOf('another site'))).toBe('not-authentic');
    const older = await archiveOf(manifestOf(undefined, 1));
    expect(await proved(older)).toHaveLength(7);
    const claimed = replaced(0, encodeJson(manifestOf(undefined, 1)));
    expect(await refusal(await resealed(claimed, macsOf()))).toBe('wrong-generation');
  });

  it('with a record that has two texts for one value', async () => {
    const text = piece(0).payload.toString();
    for (const other of [
      ` ${text}`,
      text.replace('"version":1', '"version":1.0'),
      text.replace('{', '{"version":1,'),
    ]) {
      expect(await refusal(await resealed(replaced(0, Buffer.from(other))))).toBe('malformed');
    }
  });

  it('and nothing else happens, whatever the bytes are', async () => {
    const start = fc.constantFrom('', firstLine);
    await fc.assert(
      fc.asyncProperty(start, fc.uint8Array({ maxLength: 300 }), async (line, bytes) => {
        await expect(proved(Buffer.concat([Buffer.from(line), bytes]))).rejects.toBeInstanceOf(ArchiveRefusal);
      }),
    );
  });
});

function otherValue(value: string | number | boolean): string | number | boolean {
  if (typeof value === 'number') return value + 1;
  if (typeof value === 'boolean') return !value;
  if (/^\d{4}-/.test(value)) return '2026-02-01T10:00:00.001Z';
  if (/^[0-9a-f]+$/.test(value) && value.length !== 12)
    return `${value.slice(0, -2)}${value.endsWith('00') ? '01' : '00'}`;
  return `${value}x`;
}
