import * as z from 'zod';

/** The records of an archive besides its manifest. Bytes are lower-case hex; every text has one encoding only. */

const text = z.string().min(1).max(2_048);
const count = z.int().min(0);
const hex = z.string().regex(/^(?:[0-9a-f]{2})+$/);
const materialId = z.string().regex(/^[0-9a-f]{64}$/);
const digest = z.string().regex(/^[0-9a-f]{64}$/);

/** The MAC of HMAC-SHA-256, in bytes. */
export const macBytes = 32;

const materialFields = z.strictObject({
  cluster_id: text,
  generation: z.int().min(1),
  account: text,
  region: text,
  key_id: text,
  material_id: materialId,
  key_spec: text,
  key_usage: text,
  label: text,
  extractable: z.boolean(),
  creation_date: z.iso.datetime(),
  /** The key under the wrapping key of the generation: RFC 5649. */
  blob: hex,
});

/** One key material: everything that its restore needs, and all of it under the record's MAC. */
export const materialSchema = z.union([
  /** The ciphertext with a known answer that the restored key must decrypt. */
  materialFields.extend({ canary_nonce: hex, canary_ciphertext: hex }),
  /** Of a key for MACs: the MAC of the empty message that it must make. */
  materialFields.extend({ canary_mac: hex }),
]);
/** One key material of an archive. */
export type ArchivedMaterial = z.output<typeof materialSchema>;

/**
 * Why a material of the catalog is not in the archive. `deleted`: it was destroyed while the backup ran, as the catalog
 * recorded. `missing`: all members answered, and none has it. `unavailable`: members that might have it could not be asked.
 */
export const absenceReasons = ['deleted', 'missing', 'unavailable'] as const;
/** One of `absenceReasons`. */
export type AbsenceReason = (typeof absenceReasons)[number];

/** A material of the catalog that is not in the archive. */
export const absenceSchema = z.strictObject({
  cluster_id: text,
  account: text,
  region: text,
  key_id: text,
  material_id: materialId,
  reason: z.enum(absenceReasons),
});
/** A material of the catalog that is not in the archive. */
export type ArchivedAbsence = z.output<typeof absenceSchema>;

const clusterTotals = z.strictObject({
  cluster_id: text,
  materials: count,
  deleted: count,
  missing: count,
  unavailable: count,
});

/** The counts of what was written, one entry for each cluster with key material, in the manifest's order. */
export const totalsSchema = z.strictObject({ completed_date: z.iso.datetime(), clusters: z.array(clusterTotals) });
/** The counts of what was written. */
export type ArchiveTotals = z.output<typeof totalsSchema>;
/** The counts of one cluster. */
export type ClusterTotals = z.output<typeof clusterTotals>;

/** The last record: the digest of all bytes before it, and its MAC by each cluster with key material. */
export const sealSchema = z.strictObject({
  digest,
  macs: z.array(z.strictObject({ cluster_id: text, generation: z.int().min(1), mac: digest })),
});
/** The last record of an archive. */
export type ArchiveSeal = z.output<typeof sealSchema>;
