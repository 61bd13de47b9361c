import type * as z from 'zod';
import { type CanonicalValue, canonicalJson } from '../canonical-json.js';
import { archiveVersion } from './manifest.js';
import { ArchiveRefusal } from './refusal.js';

/**
 * The layout of an archive (docs/decisions/0017). One line of ASCII with the version, then records: a byte for the
 * kind, a u32 (big endian) for the length, the payload. In this order:
 *
 *     manifest   canonical JSON (RFC 8785)
 *     catalog    a part of the SQLite database; at least one
 *     material   32 bytes MAC, then canonical JSON; ascending by cluster and material id
 *     absence    canonical JSON; in the same order, among the materials
 *     totals     canonical JSON
 *     seal       canonical JSON: the digest of all bytes before this record, and its MACs
 *
 * MACs are HMAC-SHA-256 under the cluster's backup MAC key, made in the HSM.
 */
export const recordKinds = { manifest: 1, catalog: 2, material: 3, absence: 4, totals: 5, seal: 6 } as const;
/** The name of a kind of record. */
export type RecordKind = keyof typeof recordKinds;

/** The maximum payload of each kind, in bytes; a reader checks it before it reserves memory. */
export const maxPayloadBytes: Readonly<Record<RecordKind, number>> = {
  manifest: 16 * 1024 * 1024,
  catalog: 1024 * 1024,
  material: 64 * 1024,
  absence: 16 * 1024,
  totals: 16 * 1024 * 1024,
  seal: 16 * 1024 * 1024,
};

/** The line that every archive begins with, up to the version. */
export const preamble = 'holdfast backup ';
/** The first line of an archive of this version. */
export const firstLine = `${preamble}${archiveVersion}\n`;
/** A kind and a length. */
export const headerBytes = 5;

/** The header of a record. */
export function encodeHeader(kind: RecordKind, lengthBytes: number): Uint8Array {
  if (lengthBytes > maxPayloadBytes[kind]) throw new RangeError(`A record of kind ${kind} has ${lengthBytes} bytes.`);
  const header = Buffer.alloc(headerBytes);
  header.writeUInt8(recordKinds[kind], 0);
  header.writeUInt32BE(lengthBytes, 1);
  return header;
}

/** Reads a header, and checks the length before anything of that length is read. @throws ArchiveRefusal */
export function decodeHeader(header: Uint8Array): { kind: RecordKind; lengthBytes: number } {
  const bytes = Buffer.from(header.buffer, header.byteOffset, header.byteLength);
  const number = bytes.readUInt8(0);
  const [kind] = Object.entries(recordKinds).find(([, value]) => value === number) ?? [];
  if (kind === undefined) throw new ArchiveRefusal('malformed', `A record has the unknown kind ${number}.`);
  const lengthBytes = bytes.readUInt32BE(1);
  const max = maxPayloadBytes[kind as RecordKind];
  if (lengthBytes <= max) return { kind: kind as RecordKind, lengthBytes };
  throw new ArchiveRefusal(
    'too-long',
    `A record of kind ${kind} claims ${lengthBytes} bytes; at most ${max} are possible.`,
  );
}

/** The one encoding of a record that is JSON. */
export function encodeJson(value: CanonicalValue): Uint8Array {
  return Buffer.from(canonicalJson(value), 'utf8');
}

/**
 * Decodes a record that is JSON. Only its one canonical text is taken: with two texts for one value a MAC would not say
 * which one was meant.
 * @throws ArchiveRefusal
 */
export function decodeJson<Schema extends z.ZodType<CanonicalValue>>(
  kind: RecordKind,
  schema: Schema,
  payload: Uint8Array,
): z.output<Schema> {
  const read = schema.safeParse(parseJson(kind, payload));
  if (!read.success) {
    const where = read.error.issues[0]?.path.join('.') ?? '';
    throw malformed(kind, where === '' ? 'is not as it should be' : `has no valid ${where}`);
  }
  if (Buffer.compare(encodeJson(read.data), payload) !== 0) throw malformed(kind, 'is not in canonical form');
  return read.data;
}

function parseJson(kind: RecordKind, payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload)) as unknown;
  } catch {
    throw malformed(kind, 'is no JSON');
  }
}

function malformed(kind: RecordKind, what: string): ArchiveRefusal {
  return new ArchiveRefusal('malformed', `A record of kind ${kind} ${what}.`);
}
