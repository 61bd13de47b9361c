import type { Manifest, ManifestCluster } from '../../backup/manifest.js';
import type { Configuration } from '../../config/configuration.js';
import { ArchiveRefusal } from '../../backup/refusal.js';
import { usageError } from '../exit-codes.js';

/** The clusters whose keys are in an archive: those that are restored, and those that the operator leaves out. */
export interface ChosenClusters {
  wanted: readonly ManifestCluster[];
  leftOut: readonly ManifestCluster[];
}

/**
 * Divides the clusters of an archive.
 * @param names of clusters to leave out, by id, or by name in the configuration or the archive
 * @throws CliError for a name that no cluster of the archive has: a slip must not restore what should be left out
 */
export function chooseClusters(
  { clusters }: Manifest,
  configuration: Pick<Configuration, 'clusters'>,
  names: readonly string[],
): ChosenClusters {
  const namesOf = ({ cluster_id: id, name }: ManifestCluster): (string | undefined)[] => [
    ...[id, name],
    configuration.clusters.find((cluster) => cluster.id === id)?.name,
  ];
  for (const name of names) {
    if (clusters.some((cluster) => namesOf(cluster).includes(name))) continue;
    throw usageError(`--without-cluster: the archive has no cluster ${name}`);
  }
  const isLeftOut = (cluster: ManifestCluster): boolean => namesOf(cluster).some((name) => names.includes(name ?? ''));
  const withKeys = clusters.filter(({ content }) => content === 'key-material');
  return { wanted: withKeys.filter((cluster) => !isLeftOut(cluster)), leftOut: withKeys.filter(isLeftOut) };
}

/**
 * Refuses an archive of another site before anything of it but its manifest is used.
 * @throws ArchiveRefusal if it has keys of a cluster that the configuration lacks
 */
export function requireConfigured({ wanted }: ChosenClusters, { clusters }: Pick<Configuration, 'clusters'>): void {
  for (const { cluster_id: clusterId, materials } of wanted) {
    if (materials === 0 || clusters.some(({ id }) => id === clusterId)) continue;
    const message = `The archive has keys of cluster ${clusterId}, which the configuration does not have.`;
    throw new ArchiveRefusal('wrong-cluster', message);
  }
}
