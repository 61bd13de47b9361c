import { encodeJson } from './format.js';

/**
 * What the MACs of an archive are made of. Each begins with a domain of its own and the archive's id, both of a fixed length: no
 * MAC of a record can stand for that of a whole archive, nor one archive's for another's.
 */
const domains = { material: 'holdfast backup material 1\n', archive: 'holdfast backup archive 1\n' } as const;

/** One MAC: which cluster's key of which generation makes it, and of what. */
export interface MacTarget {
  clusterId: string;
  generation: number;
  data: Uint8Array;
}

/** Makes MACs under the backup MAC keys of clusters, in their HSMs. */
export interface BackupMacs {
  /** HMAC-SHA-256, 32 bytes. Rejects with a `HoldfastError` if no member can make it. */
  make(target: MacTarget): Promise<Uint8Array>;
}

/** The data of a material's MAC: the canonical JSON of its record has all its fields. */
export function materialMacData(archiveId: string, record: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(domains.material, 'ascii'), Buffer.from(archiveId, 'hex'), record]);
}

/** The data of a cluster's MAC over the whole archive. */
export function archiveMacData(archiveId: string, clusterId: string, generation: number, digest: string): Uint8Array {
  const what = encodeJson({ cluster_id: clusterId, generation, digest });
  return Buffer.concat([Buffer.from(domains.archive, 'ascii'), Buffer.from(archiveId, 'hex'), what]);
}
