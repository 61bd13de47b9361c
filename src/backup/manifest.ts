import * as z from 'zod';

/** The version of the archive's format that this binary writes, and the only one that it reads. */
export const archiveVersion = 1;

const count = z.int().min(0);
const text = z.string().min(1).max(1_024);

/** Why an archive has no key material of a cluster; its keys are in the catalog alone. */
export const omissionReasons = ['vendor-replication', 'no-replication', 'not-connected', 'not-configured'] as const;
/** One of `omissionReasons`. */
export type OmissionReason = (typeof omissionReasons)[number];

/** A cluster that keys of the catalog name. */
const clusterSchema = z
  .strictObject({
    cluster_id: text,
    /** The display name of the configuration, or the id of a cluster that it lacks. */
    name: text,
    /** `unknown` for a cluster that the configuration lacks. */
    replication: z.enum(['wrapped', 'vendor', 'none', 'unknown']),
    /** Whether the members enforce trust; null unless the cluster is wrapped. */
    trust: z.enum(['enforced', 'unenforced']).nullable(),
    content: z.enum(['key-material', 'catalog-only']),
    /** Null if the archive has the key material. */
    omission: z.enum(omissionReasons).nullable(),
    /** The generation of the wrapping keys and of the MAC key; null if the archive has no key material. */
    generation: z.int().min(1).nullable(),
    /** How many key materials of the cluster the catalog has, tombstones left out. */
    materials: count,
  })
  .refine(({ content, omission, generation }) =>
    content === 'key-material' ? omission === null && generation !== null : omission !== null && generation === null,
  );

/**
 * The first record of an archive: what is in it, readable without any key. The seal at the end authenticates it, so
 * until then it is a claim.
 */
export const manifestSchema = z
  .strictObject({
    format: z.literal('holdfast-backup'),
    version: z.literal(archiveVersion),
    /** 16 random bytes in hex; part of every MAC, so that two archives cannot be spliced. */
    archive_id: z.string().regex(/^[0-9a-f]{32}$/),
    created_date: z.iso.datetime(),
    holdfast_version: text,
    identity: z.strictObject({ partition: text, region: text, accounts: z.array(text).max(1_000) }),
    catalog: z.strictObject({
      incarnation_id: text,
      schema_version: z.int().min(1),
      /** The length of the catalog in this archive: an SQLite database. */
      bytes: z.int().min(1),
      /** Keys that are not deleted. */
      keys: count,
      /** Deleted keys: their records stay, so that none comes back to life. */
      tombstones: count,
    }),
    /** Ascending by id. */
    clusters: z.array(clusterSchema).max(10_000),
  })
  .refine(({ clusters }) => clusters.every((cluster, at) => at === 0 || isBefore(clusters[at - 1], cluster)));

/** The manifest of an archive. */
export type Manifest = z.output<typeof manifestSchema>;
/** A cluster in a manifest. */
export type ManifestCluster = Manifest['clusters'][number];

function isBefore(one: { cluster_id: string } | undefined, other: { cluster_id: string }): boolean {
  return one !== undefined && one.cluster_id < other.cluster_id;
}

/** The clusters whose key material is in the archive, with the generation of their keys. */
export function clustersWithMaterial(manifest: Manifest): { clusterId: string; generation: number }[] {
  return manifest.clusters.flatMap(({ cluster_id: clusterId, generation }) =>
    generation === null ? [] : [{ clusterId, generation }],
  );
}
