import type { Manifest } from './manifest.js';
import type { AbsenceReason, ArchiveTotals, ClusterTotals } from './records.js';
import { ArchiveRefusal } from './refusal.js';

/** The place of a material or an absence in an archive. */
export interface MaterialPlace {
  cluster_id: string;
  material_id: string;
}

/**
 * Counts the materials and absences of an archive, and holds them to one strictly ascending order: then a duplicate or a
 * record at another place shows without any memory of those before.
 */
export class MaterialOrder {
  readonly #expected: ReadonlyMap<string, number>;
  readonly #totals: ReadonlyMap<string, ClusterTotals>;
  #last: MaterialPlace | undefined;

  constructor(manifest: Manifest) {
    const clusters = manifest.clusters.filter(({ content }) => content === 'key-material');
    this.#expected = new Map(clusters.map(({ cluster_id, materials }) => [cluster_id, materials]));
    this.#totals = new Map(
      clusters.map(({ cluster_id }) => [
        cluster_id,
        { cluster_id, materials: 0, deleted: 0, missing: 0, unavailable: 0 },
      ]),
    );
  }

  /** Counts one. @throws ArchiveRefusal if its cluster has no material in this archive, or its place is wrong */
  note(place: MaterialPlace, absence?: AbsenceReason): void {
    const totals = this.#totals.get(place.cluster_id);
    if (totals === undefined) {
      const message = `A record is of cluster ${place.cluster_id}, of which the manifest has no key material.`;
      throw new ArchiveRefusal('wrong-cluster', message);
    }
    this.#requireAfterLast(place);
    totals[absence ?? 'materials']++;
  }

  /** The counts so far, in the manifest's order. */
  get clusters(): ClusterTotals[] {
    return [...this.#totals.values()];
  }

  /** @throws ArchiveRefusal if the manifest or the totals have other numbers */
  requireTotals({ clusters }: ArchiveTotals): void {
    const counted = this.clusters;
    const areAlike =
      clusters.length === counted.length && clusters.every((claimed, at) => isSame(claimed, counted[at]));
    const isComplete = counted.every((totals) => sumOf(totals) === this.#expected.get(totals.cluster_id));
    if (areAlike && isComplete) return;
    throw new ArchiveRefusal('wrong-count', 'The archive has another number of key materials than it says.');
  }

  #requireAfterLast(place: MaterialPlace): void {
    const last = this.#last;
    this.#last = { cluster_id: place.cluster_id, material_id: place.material_id };
    if (last === undefined || last.cluster_id < place.cluster_id) return;
    const isSameCluster = last.cluster_id === place.cluster_id;
    if (isSameCluster && last.material_id < place.material_id) return;
    const isSamePlace = isSameCluster && last.material_id === place.material_id;
    throw isSamePlace
      ? new ArchiveRefusal('duplicate', `Key material ${place.material_id} is in the archive twice.`)
      : new ArchiveRefusal('out-of-order', `Key material ${place.material_id} is not at its place.`);
  }
}

function sumOf({ materials, deleted, missing, unavailable }: ClusterTotals): number {
  return materials + deleted + missing + unavailable;
}

function isSame(one: ClusterTotals, other: ClusterTotals | undefined): boolean {
  return (
    one.cluster_id === other?.cluster_id &&
    one.materials === other.materials &&
    one.deleted === other.deleted &&
    one.missing === other.missing &&
    one.unavailable === other.unavailable
  );
}
