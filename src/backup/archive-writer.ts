import { createHash, type Hash } from 'node:crypto';
import { archiveMacData, type BackupMacs, materialMacData } from './archive-macs.js';
import { encodeHeader, encodeJson, firstLine, maxPayloadBytes, type RecordKind } from './format.js';
import { clustersWithMaterial, type Manifest, manifestSchema } from './manifest.js';
import { MaterialOrder } from './material-order.js';
import {
  absenceSchema,
  type ArchivedAbsence,
  type ArchivedMaterial,
  type ArchiveTotals,
  macBytes,
  materialSchema,
} from './records.js';

/** Takes the bytes of an archive; resolves when it can take more. */
export type ArchiveSink = (bytes: Uint8Array) => Promise<void>;

/** A record of a material, encoded, with its MAC. */
export interface SignedMaterial {
  record: ArchivedMaterial;
  /** The canonical JSON that the MAC was made of. */
  encoded: Uint8Array;
  mac: Uint8Array;
}

/** Encodes a record and has its MAC made. Several may be made at once; they are written in their order. */
export async function signMaterial(
  archiveId: string,
  record: ArchivedMaterial,
  macs: BackupMacs,
): Promise<SignedMaterial> {
  const encoded = encodeJson(materialSchema.parse(record));
  const { cluster_id: clusterId, generation } = record;
  const mac = await macs.make({ clusterId, generation, data: materialMacData(archiveId, encoded) });
  return { record, encoded, mac };
}

/**
 * Writes an archive record by record, in constant memory. The order is the format's: a caller that breaks it gets the error
 * that a reader would.
 */
export class ArchiveWriter {
  readonly #sink: ArchiveSink;
  readonly #manifest: Manifest;
  readonly #macs: BackupMacs;
  readonly #order: MaterialOrder;
  readonly #hash: Hash = createHash('sha256');
  #writtenBytes = 0;

  private constructor(sink: ArchiveSink, manifest: Manifest, macs: BackupMacs) {
    this.#sink = sink;
    this.#manifest = manifest;
    this.#macs = macs;
    this.#order = new MaterialOrder(manifest);
  }

  /** Writes the first line and the manifest. */
  static async begin(sink: ArchiveSink, manifest: Manifest, macs: BackupMacs): Promise<ArchiveWriter> {
    const writer = new ArchiveWriter(sink, manifestSchema.parse(manifest), macs);
    await writer.#emit(Buffer.from(firstLine, 'ascii'));
    await writer.#write('manifest', encodeJson(manifest));
    return writer;
  }

  /** The length of the archive so far. */
  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** Writes a part of the catalog's file, of any length. */
  async catalog(bytes: Uint8Array): Promise<void> {
    const max = maxPayloadBytes.catalog;
    for (let at = 0; at < bytes.length; at += max) await this.#write('catalog', bytes.subarray(at, at + max));
  }

  /** Writes a material after those with lower ids. */
  async material({ record, encoded, mac }: SignedMaterial): Promise<void> {
    if (mac.length !== macBytes) throw new RangeError(`A MAC has ${mac.length} bytes.`);
    this.#order.note(record);
    await this.#write('material', Buffer.concat([mac, encoded]));
  }

  /** Writes that a material is not in the archive, at its place among the others. */
  async absence(record: ArchivedAbsence): Promise<void> {
    this.#order.note(record, record.reason);
    await this.#write('absence', encodeJson(absenceSchema.parse(record)));
  }

  /** Writes the totals and the seal. An archive without it is refused as truncated. */
  async finish(completedDate: Date): Promise<ArchiveTotals> {
    const totals: ArchiveTotals = { completed_date: completedDate.toISOString(), clusters: this.#order.clusters };
    this.#order.requireTotals(totals);
    await this.#write('totals', encodeJson(totals));
    const digest = this.#hash.copy().digest('hex');
    const macs = await Promise.all(
      clustersWithMaterial(this.#manifest).map(async ({ clusterId, generation }) => {
        const data = archiveMacData(this.#manifest.archive_id, clusterId, generation, digest);
        const mac = await this.#macs.make({ clusterId, generation, data });
        return { cluster_id: clusterId, generation, mac: Buffer.from(mac).toString('hex') };
      }),
    );
    await this.#write('seal', encodeJson({ digest, macs }));
    return totals;
  }

  async #write(kind: RecordKind, payload: Uint8Array): Promise<void> {
    await this.#emit(encodeHeader(kind, payload.length));
    await this.#emit(payload);
  }

  async #emit(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    this.#writtenBytes += bytes.length;
    await this.#sink(bytes);
  }
}
