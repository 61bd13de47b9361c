import type { HsmCall } from '../calls/hsm-call.js';
import type { Clock } from '../clock.js';
import type { HsmCluster } from '../clusters/hsm-cluster.js';
import { HoldfastError } from '../errors.js';
import type { BackupMacs } from './archive-macs.js';
import { type ArchivePart, type ClaimedMac, readArchive } from './archive-reader.js';
import { authenticate } from './authenticate.js';
import { requireClaims } from './catalog-claims.js';
import { InOrder } from './in-order.js';
import { clustersWithMaterial, type Manifest } from './manifest.js';
import type { CatalogInspection } from './ports.js';
import type { ArchivedMaterial, ArchiveTotals } from './records.js';
import { ArchiveRefusal } from './refusal.js';

/** The dependencies of verifying archives. */
export interface VerificationTools {
  clock: Clock;
  /** Whether the configuration has the cluster. */
  isConfigured: (clusterId: string) => boolean;
  /** Undefined if the cluster is not connected here. */
  connectedCluster: (clusterId: string) => HsmCluster | undefined;
  /** Whether an operator has said that the cluster is left out: its keys and MACs prove nothing. Left out: none is. */
  isLeftOut?: (clusterId: string) => boolean;
  /** As for making archives. */
  turn: (signal: AbortSignal) => Promise<void>;
  callTimeoutMs: number;
}

/** How an archive is verified. */
export interface VerificationRequest {
  chunks: AsyncIterable<Uint8Array>;
  /** Where the catalog in it is looked into, once all MACs are right. Left out: it is not. */
  catalog?: CatalogInspection;
  onProgress: (progress: { done: number; total: number }) => void;
  signal: AbortSignal;
}

/** An archive whose MACs are right, and whose keys have proved themselves but for the named ones. */
export interface VerifiedArchive {
  manifest: Manifest;
  totals: ArchiveTotals;
  /** Materials whose blob unwrapped as a session object and decrypted its canary. */
  proved: number;
  /** Materials that did not, though their record is authentic; at most the first 100. */
  unproved: readonly { materialId: string; message: string }[];
  /** Whether a cluster's MAC over it was right. Without key material there is none: then only damage would have shown. */
  isAuthenticated: boolean;
}

const window = 4;
const maxNamed = 100;

/**
 * Proves an archive: its form, all its MACs, and that every blob unwraps on a member and decrypts its canary. No key in use is
 * touched, and nothing is written.
 * @throws ArchiveRefusal with the reason; HoldfastError if a cluster's members cannot be asked
 */
export async function verifyArchive(
  tools: VerificationTools,
  { chunks, catalog, onProgress, signal }: VerificationRequest,
): Promise<VerifiedArchive> {
  const verification = new Verification(tools, catalog);
  for await (const part of readArchive(chunks)) {
    signal.throwIfAborted();
    if (part.kind === 'material') await tools.turn(signal);
    await verification.take(part);
    onProgress(verification.progress);
  }
  return verification.result();
}

class Verification {
  readonly #tools: VerificationTools;
  readonly #catalog: CatalogInspection | undefined;
  readonly #unproved: { materialId: string; message: string }[] = [];
  readonly #macs: BackupMacs = {
    make: async ({ clusterId, generation, data }) =>
      (await this.#connected(clusterId).perform('makeBackupMac', { data, generation }, this.#call())).mac,
  };
  readonly #proofs = new InOrder<string | undefined>(window, (failure) => {
    if (failure === undefined) this.#proved++;
    return Promise.resolve();
  });
  #manifest: Manifest | undefined;
  #ended: { totals: ArchiveTotals; isAuthenticated: boolean } | undefined;
  #proved = 0;

  constructor(tools: VerificationTools, catalog: CatalogInspection | undefined) {
    this.#tools = tools;
    this.#catalog = catalog;
  }

  get progress(): { done: number; total: number } {
    const clusters = this.#manifest?.clusters.filter(({ content }) => content === 'key-material') ?? [];
    const total = clusters.reduce((sum, each) => sum + (this.#isLeftOut(each.cluster_id) ? 0 : each.materials), 0);
    return { done: this.#proved + this.#unproved.length, total };
  }

  async take(part: ArchivePart): Promise<void> {
    switch (part.kind) {
      case 'manifest':
        this.#requireClusters(part.manifest);
        this.#manifest = part.manifest;
        return;
      case 'material':
        if (this.#isLeftOut(part.material.cluster_id)) return;
        return this.#proofs.add(this.#prove(part));
      case 'end':
        await this.#proofs.end();
        this.#ended = { totals: part.totals, isAuthenticated: await this.#authenticate(part.macs) };
        return this.#lookIntoCatalog();
      case 'catalog':
        return this.#catalog?.write(part.bytes);
      case 'absence':
        return;
    }
  }

  result(): VerifiedArchive {
    const [manifest, ended] = [this.#manifest, this.#ended];
    if (manifest === undefined || ended === undefined) throw new Error('The archive was not read to its end.');
    const unproved = this.#unproved.slice(0, maxNamed);
    return { manifest, ...ended, proved: this.#proved, unproved };
  }

  /**
   * Each MAC is over all of the archive. That of a cluster without keys in it is not needed beside another: such a cluster
   * may be gone for good.
   * @returns whether there was one
   */
  async #authenticate(claimed: readonly ClaimedMac[]): Promise<boolean> {
    const isNeeded = ({ clusterId }: ClaimedMac): boolean =>
      this.#materialsOf(clusterId) > 0 || this.#tools.connectedCluster(clusterId) !== undefined;
    const macs = claimed.filter(({ clusterId }) => !this.#isLeftOut(clusterId));
    const needed = macs.filter(isNeeded);
    const checked = needed.length > 0 ? needed : macs;
    for (const mac of checked) await authenticate(mac, this.#macs);
    return checked.length > 0;
  }

  #isLeftOut(clusterId: string): boolean {
    return this.#tools.isLeftOut?.(clusterId) === true;
  }

  #materialsOf(clusterId: string): number {
    return this.#manifest?.clusters.find(({ cluster_id }) => cluster_id === clusterId)?.materials ?? 0;
  }

  /** Before the HSMs are asked for anything: an archive of another site names clusters that are not here. */
  #requireClusters(manifest: Manifest): void {
    for (const { clusterId } of clustersWithMaterial(manifest)) {
      if (this.#tools.isConfigured(clusterId) || this.#isLeftOut(clusterId)) continue;
      const message = `The archive has keys of cluster ${clusterId}, which the configuration does not have.`;
      throw new ArchiveRefusal('wrong-cluster', message);
    }
  }

  async #lookIntoCatalog(): Promise<void> {
    if (this.#catalog !== undefined && this.#manifest !== undefined)
      requireClaims(this.#manifest, await this.#catalog.content());
  }

  /** @returns why the material is not proved */
  async #prove({ material, mac }: Extract<ArchivePart, { kind: 'material' }>): Promise<string | undefined> {
    await authenticate(mac, this.#macs);
    const { cluster_id: clusterId, generation, material_id: materialId } = material;
    const request = { material: referenceOf(material), generation, blob: Buffer.from(material.blob, 'hex') };
    try {
      await this.#connected(clusterId).perform('proveWrappedKeyMaterial', request, this.#call());
      return undefined;
    } catch (error) {
      // A member that is away says nothing of the archive.
      if (!(error instanceof HoldfastError) || error.retryable) throw error;
      this.#unproved.push({ materialId, message: error.message });
      return error.message;
    }
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

function referenceOf(material: ArchivedMaterial) {
  const { material_id: materialId, label, extractable } = material;
  return { materialId, label, extractable, canary: canaryOf(material) };
}

function canaryOf(material: ArchivedMaterial) {
  const bytes = (hex: string): Uint8Array => Buffer.from(hex, 'hex');
  if ('canary_mac' in material) return { mac: bytes(material.canary_mac) };
  return { nonce: bytes(material.canary_nonce), ciphertext: bytes(material.canary_ciphertext) };
}
