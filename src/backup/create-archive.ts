import { setImmediate as nextTurn } from 'node:timers/promises';
import type { HsmCall } from '../calls/hsm-call.js';
import { type Clock, delay } from '../clock.js';
import type { Canary, ClusterDescription, HsmCluster } from '../clusters/hsm-cluster.js';
import { HoldfastError, toHoldfastError } from '../errors.js';
import type { Identity } from '../keys/identity.js';
import type { BackupMacs } from './archive-macs.js';
import { ArchiveWriter, type ArchiveSink, type SignedMaterial, signMaterial } from './archive-writer.js';
import { isComplete } from './created-content.js';
import { InOrder } from './in-order.js';
import type { Manifest, ManifestCluster, OmissionReason } from './manifest.js';
import type { CatalogSnapshot, SnapshotMaterial } from './ports.js';
import type { AbsenceReason, ArchivedAbsence, ArchiveTotals } from './records.js';

/** The dependencies of making archives. */
export interface ArchiveTools {
  clock: Clock;
  identity: Identity;
  holdfastVersion: string;
  /** The clusters of the configuration. */
  clusters: () => readonly Pick<ClusterDescription, 'clusterId' | 'name' | 'replication' | 'trust'>[];
  /** Undefined if the cluster is not connected here. */
  connectedCluster: (clusterId: string) => HsmCluster | undefined;
  /** Whether the catalog in use still has the material. */
  isMaterialKept: (materialId: string) => Promise<boolean>;
  /** Resolves when the HSMs may be given the next material: callers have the rest of their time. */
  turn: (signal: AbortSignal) => Promise<void>;
  /** The longest wait for a member. */
  callTimeoutMs: number;
}

/** How far an archive is. */
export interface ArchiveProgress {
  done: number;
  total: number;
}

/** What goes into an archive, and where it goes. */
export interface ArchiveRequest {
  archiveId: string;
  snapshot: CatalogSnapshot;
  sink: ArchiveSink;
  onProgress: (progress: ArchiveProgress) => void;
  /** Ends the work between two materials. */
  signal: AbortSignal;
}

/** A finished archive. */
export interface CreatedArchive {
  manifest: Manifest;
  totals: ArchiveTotals;
  bytes: number;
  /** Whether every material of every wrapped cluster is in it, but for those that were destroyed meanwhile. */
  isComplete: boolean;
}

/** Materials that are with the HSMs at a time: enough to keep one member busy. */
const window = 4;
const pageSize = 100;
/** How often one material is tried while all members are away, how often in one archive, and the pause between. */
const tries = { each: 3, all: 60, pauseMs: 1_000 } as const;

/** Writes an archive of a snapshot. The members are asked in turn; no key in use is changed. */
export async function createArchive(tools: ArchiveTools, request: ArchiveRequest): Promise<CreatedArchive> {
  return new ArchiveCreation(tools, request).run();
}

class ArchiveCreation {
  readonly #tools: ArchiveTools;
  readonly #request: ArchiveRequest;
  readonly #macs: BackupMacs = { make: async ({ clusterId, ...what }) => (await this.#mac(clusterId, what)).mac };
  #triesLeft: number = tries.all;

  constructor(tools: ArchiveTools, request: ArchiveRequest) {
    this.#tools = tools;
    this.#request = request;
  }

  async run(): Promise<CreatedArchive> {
    const { snapshot, sink } = this.#request;
    const manifest = await this.#manifest();
    const writer = await ArchiveWriter.begin(sink, manifest, this.#macs);
    for await (const bytes of snapshot.bytes()) await writer.catalog(bytes);
    await this.#writeMaterials(manifest, writer);
    const totals = await writer.finish(this.#tools.clock.now());
    return { manifest, totals, bytes: writer.writtenBytes, isComplete: isComplete(manifest, totals) };
  }

  async #manifest(): Promise<Manifest> {
    const { clock, identity, holdfastVersion } = this.#tools;
    const { archiveId, snapshot } = this.#request;
    const { incarnationId, schemaVersion, bytes, keys, tombstones } = snapshot.content;
    return {
      format: 'holdfast-backup',
      version: 1,
      archive_id: archiveId,
      created_date: clock.now().toISOString(),
      holdfast_version: holdfastVersion,
      identity: { partition: identity.partition, region: identity.region, accounts: [...identity.accounts] },
      catalog: { incarnation_id: incarnationId, schema_version: schemaVersion, bytes, keys, tombstones },
      clusters: await Promise.all(this.#clusterIds().map((clusterId) => this.#manifestCluster(clusterId))),
    };
  }

  /** Ascending: those of the configuration, and those that only the catalog knows. */
  #clusterIds(): string[] {
    const known = this.#tools.clusters().map(({ clusterId }) => clusterId);
    return [...new Set([...known, ...this.#request.snapshot.content.clusters.map((each) => each.clusterId)])].sort();
  }

  async #manifestCluster(clusterId: string): Promise<ManifestCluster> {
    const configured = this.#tools.clusters().find((cluster) => cluster.clusterId === clusterId);
    const counted = this.#request.snapshot.content.clusters.find((cluster) => cluster.clusterId === clusterId);
    const found = await this.#generationOf(clusterId, configured?.replication);
    const isIn = typeof found === 'number';
    return {
      cluster_id: clusterId,
      name: configured?.name ?? clusterId,
      replication: configured?.replication ?? 'unknown',
      trust: configured?.replication === 'wrapped' ? (configured.trust ?? 'enforced') : null,
      content: isIn ? 'key-material' : 'catalog-only',
      omission: isIn ? null : found,
      generation: isIn ? found : null,
      materials: counted?.materials ?? 0,
    };
  }

  /** The generation in use, or why there is no key material. */
  async #generationOf(
    clusterId: string,
    replication: ClusterDescription['replication'] | undefined,
  ): Promise<number | OmissionReason> {
    if (replication === undefined) return 'not-configured';
    if (replication !== 'wrapped') return `${replication === 'vendor' ? 'vendor' : 'no'}-replication`;
    try {
      return (await this.#mac(clusterId, { data: Buffer.from(this.#request.archiveId, 'hex') })).generation;
    } catch (error) {
      if (error instanceof HoldfastError) return 'not-connected';
      throw error;
    }
  }

  async #writeMaterials(manifest: Manifest, writer: ArchiveWriter): Promise<void> {
    const { onProgress, signal } = this.#request;
    const clusters = manifest.clusters.filter(({ content }) => content === 'key-material');
    const total = clusters.reduce((sum, { materials }) => sum + materials, 0);
    let done = 0;
    const inOrder = new InOrder<SignedMaterial | ArchivedAbsence>(window, async (record) => {
      await ('mac' in record ? writer.material(record) : writer.absence(record));
      onProgress({ done: ++done, total });
    });
    for (const cluster of clusters) {
      for (const material of this.#materialsOf(cluster.cluster_id)) {
        await this.#tools.turn(signal);
        signal.throwIfAborted();
        await inOrder.add(this.#archive(material, cluster.generation ?? 0));
      }
      // A page is read at once: the loop must turn between two.
      await nextTurn();
    }
    await inOrder.end();
  }

  *#materialsOf(clusterId: string): Generator<SnapshotMaterial> {
    const { snapshot } = this.#request;
    for (let after: string | undefined; ; ) {
      const page = snapshot.materials(clusterId, after, pageSize);
      yield* page;
      if (page.length < pageSize) return;
      after = page.at(-1)?.materialId;
    }
  }

  async #archive(material: SnapshotMaterial, generation: number): Promise<SignedMaterial | ArchivedAbsence> {
    for (let tried = 1; ; tried++) {
      try {
        return await this.#archiveOnce(material, generation);
      } catch (error) {
        const { retryable } = toHoldfastError(error);
        if (!(error instanceof HoldfastError)) throw error;
        if (!retryable || tried >= tries.each || --this.#triesLeft < 0) return absence(material, 'unavailable');
        await delay(this.#tools.clock, tries.pauseMs, this.#request.signal);
      }
    }
  }

  async #archiveOnce(material: SnapshotMaterial, generation: number): Promise<SignedMaterial | ArchivedAbsence> {
    // Before the HSM is asked: a key that was destroyed as planned is no reason for an alert.
    if (!(await this.#tools.isMaterialKept(material.materialId))) return absence(material, 'deleted');
    const { materialId, label, extractable, canary } = material;
    const reference = { materialId, label, extractable, canary };
    const cluster = this.#connected(material.clusterId);
    const blob = await cluster.perform('wrapKeyMaterial', { material: reference, generation }, this.#call());
    if (blob !== undefined)
      return signMaterial(this.#request.archiveId, recordOf(material, generation, blob), this.#macs);
    return absence(material, (await this.#tools.isMaterialKept(materialId)) ? 'missing' : 'deleted');
  }

  #mac(
    clusterId: string,
    what: { data: Uint8Array; generation?: number },
  ): Promise<{ mac: Uint8Array; generation: number }> {
    return this.#connected(clusterId).perform('makeBackupMac', what, this.#call());
  }

  #connected(clusterId: string): HsmCluster {
    const cluster = this.#tools.connectedCluster(clusterId);
    if (cluster !== undefined) return cluster;
    throw new HoldfastError('KEY_UNAVAILABLE', `Cluster ${clusterId} is not connected.`, { retryable: true });
  }

  #call(): HsmCall {
    return { deadlineMs: this.#tools.clock.monotonicMs() + this.#tools.callTimeoutMs };
  }
}

function absence(material: SnapshotMaterial, reason: AbsenceReason): ArchivedAbsence {
  return {
    cluster_id: material.clusterId,
    account: material.account,
    region: material.region,
    key_id: material.keyId,
    material_id: material.materialId,
    reason,
  };
}

function canaryFields(canary: Canary): { canary_mac: string } | { canary_nonce: string; canary_ciphertext: string } {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  if ('mac' in canary) return { canary_mac: hex(canary.mac) };
  return { canary_nonce: hex(canary.nonce), canary_ciphertext: hex(canary.ciphertext) };
}

function recordOf(material: SnapshotMaterial, generation: number, blob: Uint8Array): SignedMaterial['record'] {
  const { reason: _, ...place } = absence(material, 'missing');
  return {
    ...place,
    generation,
    key_spec: material.keySpec,
    key_usage: material.keyUsage,
    label: material.label,
    extractable: material.extractable,
    ...canaryFields(material.canary),
    creation_date: material.creationDate.toISOString(),
    blob: Buffer.from(blob).toString('hex'),
  };
}
