import type { BackupRecord } from './backup-record.js';
import { clustersWithMaterial, type Manifest, type ManifestCluster } from './manifest.js';
import type { ArchiveTotals, ClusterTotals } from './records.js';

/** Whether every material of every wrapped cluster is in it, but for those that were destroyed meanwhile. */
export function isComplete({ clusters }: Manifest, totals: ArchiveTotals): boolean {
  const isHere = (cluster: ManifestCluster): boolean => cluster.materials === 0 || !isLeftOut(cluster);
  return clusters.every(isHere) && totals.clusters.every(({ missing, unavailable }) => missing + unavailable === 0);
}

/** What the record of a backup says of the content of its archive. */
export function contentOf(
  manifest: Manifest,
  totals: ArchiveTotals,
): Pick<BackupRecord, 'keyMaterials' | 'absentKeyMaterials' | 'generations'> {
  const sum = (pick: (counts: ClusterTotals) => number): number =>
    totals.clusters.reduce((total, counts) => total + pick(counts), 0);
  const omitted = manifest.clusters.filter(isLeftOut).reduce((total, { materials }) => total + materials, 0);
  return {
    keyMaterials: sum(({ materials }) => materials),
    absentKeyMaterials: omitted + sum(({ missing, unavailable }) => missing + unavailable),
    generations: clustersWithMaterial(manifest),
  };
}

/** A cluster whose keys could be in an archive, and are not. */
function isLeftOut({ omission }: ManifestCluster): boolean {
  return omission === 'not-connected' || omission === 'not-configured';
}
