import type { EncryptedData } from '../../clusters/hsm-cluster.js';
import { HoldfastError } from '../../errors.js';

/**
 * The ciphertext blob, format 1. Bytes:
 *
 *     offset  length
 *          0       2  'HF'
 *          2       1  format version: 1
 *          3       1  kind of key id: 0 a UUID, 1 `mrk-` and 32 hex digits
 *          4      16  key id
 *         20      32  material id
 *         52       1  algorithm: 1 = AES-256-GCM with a 16-byte tag
 *         53       1  length of the nonce: 12
 *         54      12  nonce
 *         66       n  ciphertext
 *       66+n      16  tag
 *
 * The header is everything before the nonce. No part can be changed unnoticed: header and encryption context are GCM's
 * additional data, the nonce is its input, and ciphertext and tag are what it checks.
 */
export interface CiphertextHeader {
  /** A lower-case UUID, or `mrk-` and 32 lower-case hex digits. */
  keyId: string;
  /** 64 lower-case hex digits. */
  materialId: string;
}

/** A parsed ciphertext blob: which key and material it names, and the parts that the HSM decrypts. */
export interface CiphertextBlob extends CiphertextHeader, EncryptedData {}

/** `HF`: the first bytes of every ciphertext blob. */
export const magic = Uint8Array.of(0x48, 0x46);
const formatVersion = 1;
const keyIdKinds = { uuid: 0, multiRegion: 1 } as const;
const aes256Gcm = 1;
const nonceLength = 12;
const tagLength = 16;
const offsets = {
  version: 2,
  keyIdKind: 3,
  keyId: 4,
  materialId: 20,
  algorithm: 52,
  nonceLength: 53,
  nonce: 54,
} as const;
const bodyOffset = offsets.nonce + nonceLength;
/** Plaintexts of requests and data keys have 1–4,096 bytes (AWS KMS API Reference, Encrypt). */
const plaintextLength = { minimum: 1, maximum: 4096 } as const;

/** How much longer a ciphertext blob is than its plaintext: 82 bytes. */
export const ciphertextOverhead = bodyOffset + tagLength;

/** The bytes of a header, the same for every encryption under one material. Callers must not change them. */
export function encodeHeader(header: CiphertextHeader): Uint8Array {
  const multiRegion = header.keyId.startsWith('mrk-');
  const keyIdDigits = multiRegion ? header.keyId.slice(4) : header.keyId.replaceAll('-', '');
  return Buffer.concat([
    magic,
    Uint8Array.of(formatVersion, multiRegion ? keyIdKinds.multiRegion : keyIdKinds.uuid),
    Buffer.from(keyIdDigits, 'hex'),
    Buffer.from(header.materialId, 'hex'),
    Uint8Array.of(aes256Gcm, nonceLength),
  ]);
}

/**
 * GCM's additional data of a ciphertext blob: FF FF, the header, the canonical encryption context. The two bytes keep
 * it apart from canaries (FF FE, `keys/canary.ts`) and from the additional data of XKS callers, which begins with a u16
 * length of at most 8,192.
 */
export function ciphertextAdditionalData(header: Uint8Array, context: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.allocUnsafe(2 + header.length + context.length);
  bytes[0] = 0xff;
  bytes[1] = 0xff;
  bytes.set(header, 2);
  bytes.set(context, 2 + header.length);
  return bytes;
}

/** Throws a plain error for a nonce of another length, which no token may return. */
export function serializeCiphertextBlob(
  header: Uint8Array,
  { nonce, ciphertext }: EncryptedData,
): Uint8Array<ArrayBuffer> {
  if (nonce.length !== nonceLength) {
    throw new Error(`An HSM returned a nonce of ${nonce.length} bytes instead of ${nonceLength}.`);
  }
  // Taken from Node's buffer pool, because a separate allocation costs more than all the rest. Every byte is written.
  const bytes = Buffer.allocUnsafe(bodyOffset + ciphertext.length);
  bytes.set(header);
  bytes.set(nonce, offsets.nonce);
  bytes.set(ciphertext, bodyOffset);
  return bytes;
}

/**
 * Parses a ciphertext blob. A byte string either is the one serialisation of the returned value, or is refused. The
 * parts are views of one copy.
 * @throws INVALID_CIPHERTEXT and nothing else.
 */
export function parseCiphertextBlob(blob: Uint8Array): CiphertextBlob {
  const plaintextBytes = blob.length - ciphertextOverhead;
  if (plaintextBytes < plaintextLength.minimum || plaintextBytes > plaintextLength.maximum) throw invalidCiphertext();
  const bytes = Buffer.from(blob);
  const keyIdKind = bytes[offsets.keyIdKind];
  const known =
    bytes.subarray(0, magic.length).equals(magic) &&
    bytes[offsets.version] === formatVersion &&
    (keyIdKind === keyIdKinds.uuid || keyIdKind === keyIdKinds.multiRegion) &&
    bytes[offsets.algorithm] === aes256Gcm &&
    bytes[offsets.nonceLength] === nonceLength;
  if (!known) throw invalidCiphertext();
  const { keyId, materialId } = headerIn(bytes);
  return {
    keyId,
    materialId,
    nonce: new Uint8Array(bytes.buffer, bytes.byteOffset + offsets.nonce, nonceLength),
    ciphertext: new Uint8Array(bytes.buffer, bytes.byteOffset + bodyOffset, bytes.length - bodyOffset),
  };
}

interface KnownHeader extends CiphertextHeader {
  readonly bytes: Buffer;
}

/**
 * Headers that were parsed lately, each at a place that its material id determines: these ids are random. The next
 * ciphertext under the same material has the same string objects, by which caches find records without reading them.
 */
const lateHeaders: (KnownHeader | undefined)[] = new Array<undefined>(4_096).fill(undefined);

function headerIn(bytes: Buffer): CiphertextHeader {
  const place = bytes.readUInt16BE(offsets.materialId) % lateHeaders.length;
  const late = lateHeaders[place];
  if (late !== undefined && bytes.compare(late.bytes, 0, offsets.nonce, 0, offsets.nonce) === 0) return late;
  const keyIdDigits = bytes.toString('hex', offsets.keyId, offsets.materialId);
  const header: KnownHeader = {
    keyId: bytes[offsets.keyIdKind] === keyIdKinds.uuid ? uuid(keyIdDigits) : `mrk-${keyIdDigits}`,
    materialId: bytes.toString('hex', offsets.materialId, offsets.algorithm),
    bytes: Buffer.from(bytes.subarray(0, offsets.nonce)),
  };
  lateHeaders[place] = header;
  return header;
}

function uuid(digits: string): string {
  const [first, last] = [`${digits.slice(0, 8)}-${digits.slice(8, 12)}`, `${digits.slice(16, 20)}-${digits.slice(20)}`];
  return `${first}-${digits.slice(12, 16)}-${last}`;
}

/**
 * INVALID_CIPHERTEXT, always in the same words. What was wrong with a ciphertext (its form, its key, its tag, the
 * encryption context) is for the log only: an attacker who probes would learn from the difference.
 */
export function invalidCiphertext(cause?: unknown): HoldfastError {
  return new HoldfastError(
    'INVALID_CIPHERTEXT',
    'The ciphertext, or the encryption context that it is bound to, is not valid.',
    { cause },
  );
}
