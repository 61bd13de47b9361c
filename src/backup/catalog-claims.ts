import type { Manifest } from './manifest.js';
import type { SnapshotContent } from './ports.js';
import { ArchiveRefusal } from './refusal.js';

/** Compares the catalog of an archive with what the manifest says of it. @throws ArchiveRefusal with the first difference */
export function requireClaims({ catalog, clusters }: Manifest, content: SnapshotContent): void {
  const counted = new Map(content.clusters.map(({ clusterId, materials }) => [clusterId, materials]));
  const named = new Set(clusters.map(({ cluster_id: id }) => id));
  const claims: [what: string, claimed: unknown, found: unknown][] = [
    ['incarnation', catalog.incarnation_id, content.incarnationId],
    ['schema', catalog.schema_version, content.schemaVersion],
    ['number of keys', catalog.keys, content.keys],
    ['number of deleted keys', catalog.tombstones, content.tombstones],
    ...clusters.map(({ cluster_id: id, materials }): [string, number, number] => [
      `number of key materials of cluster ${id}`,
      materials,
      counted.get(id) ?? 0,
    ]),
    ...[...counted]
      .filter(([id]) => !named.has(id))
      .map(([id, found]): [string, number, number] => [`number of key materials of cluster ${id}`, 0, found]),
  ];
  const wrong = claims.find(([, claimed, found]) => claimed !== found);
  if (wrong === undefined) return;
  const [what, claimed, found] = wrong;
  const message = `The catalog in the archive has another ${what} than its manifest says: ${String(found)}, not ${String(claimed)}.`;
  throw new ArchiveRefusal('unsound-catalog', message);
}
