import { createHash, type Hash } from 'node:crypto';
import { archiveMacData, type MacTarget, materialMacData } from './archive-macs.js';
import { ByteSource } from './byte-source.js';
import { decodeHeader, decodeJson, firstLine, headerBytes, preamble, type RecordKind } from './format.js';
import { clustersWithMaterial, type Manifest, manifestSchema } from './manifest.js';
import { MaterialOrder } from './material-order.js';
import {
  absenceSchema,
  type ArchivedAbsence,
  type ArchivedMaterial,
  type ArchiveSeal,
  type ArchiveTotals,
  macBytes,
  materialSchema,
  sealSchema,
  totalsSchema,
} from './records.js';
import { ArchiveRefusal } from './refusal.js';

/** A MAC that an archive claims; `authenticate` checks it. */
export interface ClaimedMac extends MacTarget {
  mac: Uint8Array;
}

/**
 * A part of an archive. Its form, place and counts have been checked, its MACs have not: until all of them have been,
 * and the end has been reached, nothing of it is proved.
 */
export type ArchivePart =
  | { kind: 'manifest'; manifest: Manifest }
  | { kind: 'catalog'; bytes: Uint8Array }
  | { kind: 'material'; material: ArchivedMaterial; mac: ClaimedMac }
  | { kind: 'absence'; absence: ArchivedAbsence }
  /** One MAC for each cluster with key material. None: nothing authenticates this archive. */
  | { kind: 'end'; totals: ArchiveTotals; digest: string; macs: readonly ClaimedMac[] };

interface RawRecord {
  kind: RecordKind;
  payload: Uint8Array;
}

/**
 * Reads an archive from its first byte to its last, in constant memory: at most one record at a time.
 * @throws ArchiveRefusal with the reason, for any byte sequence that is no whole archive
 */
export async function* readArchive(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ArchivePart, void, undefined> {
  const reader = new ArchiveReader(chunks);
  try {
    yield* reader.parts();
  } finally {
    await reader.close();
  }
}

/** Reads the manifest alone, without any key. It is a claim: only a verification proves it. @throws ArchiveRefusal */
export async function readManifest(chunks: AsyncIterable<Uint8Array>): Promise<Manifest> {
  const reader = new ArchiveReader(chunks);
  try {
    return await reader.manifest();
  } finally {
    await reader.close();
  }
}

class ArchiveReader {
  readonly #source: ByteSource;
  readonly #hash: Hash = createHash('sha256');

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#source = new ByteSource(chunks);
  }

  close(): Promise<void> {
    return this.#source.close();
  }

  async manifest(): Promise<Manifest> {
    await this.#readFirstLine();
    const { kind, payload } = await this.#next();
    if (kind !== 'manifest') throw misplaced(kind);
    this.#hash.update(payload);
    return decodeJson(kind, manifestSchema, payload);
  }

  async *parts(): AsyncGenerator<ArchivePart, void, undefined> {
    const manifest = await this.manifest();
    yield { kind: 'manifest', manifest };
    yield* this.#catalog(manifest);
    const order = new MaterialOrder(manifest);
    let record = await this.#nextHashed();
    for (; record.kind === 'material' || record.kind === 'absence'; record = await this.#nextHashed()) {
      yield record.kind === 'material'
        ? materialPart(manifest, order, record.payload)
        : absencePart(order, record.payload);
    }
    if (record.kind !== 'totals') throw misplaced(record.kind);
    const totals = decodeJson('totals', totalsSchema, record.payload);
    order.requireTotals(totals);
    yield await this.#end(manifest, totals);
  }

  async *#catalog({ catalog }: Manifest): AsyncGenerator<ArchivePart, void, undefined> {
    for (let lacking = catalog.bytes; lacking > 0; ) {
      const { kind, payload: bytes } = await this.#nextHashed();
      if (kind !== 'catalog') throw misplaced(kind);
      if (bytes.length === 0 || bytes.length > lacking) {
        throw new ArchiveRefusal('wrong-count', 'The catalog in the archive is not as long as the manifest says.');
      }
      lacking -= bytes.length;
      yield { kind, bytes };
    }
  }

  async #end(manifest: Manifest, totals: ArchiveTotals): Promise<ArchivePart> {
    const digest = this.#hash.digest('hex');
    const { kind, payload } = await this.#next(false);
    if (kind !== 'seal') throw misplaced(kind);
    const seal = decodeJson(kind, sealSchema, payload);
    if (seal.digest !== digest) {
      throw new ArchiveRefusal('wrong-digest', 'The archive was changed or damaged: its digest is another one.');
    }
    const macs = claimedMacs(manifest, seal);
    if (await this.#source.isAtEnd()) return { kind: 'end', totals, digest, macs };
    throw new ArchiveRefusal('trailing-bytes', 'There are bytes after the end of the archive.');
  }

  async #readFirstLine(): Promise<void> {
    const line = Buffer.from(await this.#source.take(firstLine.length)).toString('latin1');
    this.#hash.update(line, 'latin1');
    if (line === firstLine) return;
    if (!line.startsWith(preamble))
      throw new ArchiveRefusal('not-an-archive', 'This is no backup archive of Holdfast.');
    const message =
      'The archive has a version of the format that this binary does not read. Use the version that made it.';
    throw new ArchiveRefusal('unsupported-version', message);
  }

  async #nextHashed(): Promise<RawRecord> {
    const record = await this.#next();
    this.#hash.update(record.payload);
    return record;
  }

  /** @param isHashed whether the header is part of the digest, as all are but the seal's */
  async #next(isHashed = true): Promise<RawRecord> {
    const header = await this.#source.take(headerBytes);
    const { kind, lengthBytes } = decodeHeader(header);
    if (isHashed) this.#hash.update(header);
    return { kind, payload: await this.#source.take(lengthBytes) };
  }
}

function materialPart(manifest: Manifest, order: MaterialOrder, payload: Uint8Array): ArchivePart {
  const encoded = payload.subarray(macBytes);
  const material = decodeJson('material', materialSchema, encoded);
  order.note(material);
  const { cluster_id: clusterId, generation } = material;
  const expected = manifest.clusters.find(({ cluster_id }) => cluster_id === clusterId)?.generation;
  if (generation !== expected) {
    const message = `Key material ${material.material_id} is of generation ${generation}, the archive of another one.`;
    throw new ArchiveRefusal('wrong-generation', message);
  }
  const data = materialMacData(manifest.archive_id, encoded);
  return { kind: 'material', material, mac: { clusterId, generation, data, mac: payload.subarray(0, macBytes) } };
}

function absencePart(order: MaterialOrder, payload: Uint8Array): ArchivePart {
  const absence = decodeJson('absence', absenceSchema, payload);
  order.note(absence, absence.reason);
  return { kind: 'absence', absence };
}

/** Exactly the clusters that the manifest has key material of: a MAC that is left out is no weaker archive, but none. */
function claimedMacs(manifest: Manifest, { digest, macs }: ArchiveSeal): ClaimedMac[] {
  const expected = clustersWithMaterial(manifest);
  if (macs.length !== expected.length)
    throw new ArchiveRefusal('wrong-count', 'The seal lacks a MAC, or has one too many.');
  return expected.map(({ clusterId, generation }, at) => {
    const claimed = macs[at];
    if (claimed?.cluster_id !== clusterId)
      throw new ArchiveRefusal('wrong-cluster', 'The seal has MACs of other clusters.');
    if (claimed.generation !== generation) {
      throw new ArchiveRefusal('wrong-generation', `The seal of cluster ${clusterId} is of another generation.`);
    }
    const data = archiveMacData(manifest.archive_id, clusterId, generation, digest);
    return { clusterId, generation, data, mac: Buffer.from(claimed.mac, 'hex') };
  });
}

function misplaced(kind: RecordKind): ArchiveRefusal {
  return new ArchiveRefusal('out-of-order', `A record of kind ${kind} is not at its place.`);
}
