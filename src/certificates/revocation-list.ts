import { constants, type KeyObject, verify } from 'node:crypto';
import { childrenOf, DerReader, derTags, type DerElement, MalformedDerError, objectIdentifier, timeOf } from './der.js';
import { nameKey, nameText } from './name.js';
import { pemContent } from './pem.js';

/** The header of a certificate revocation list (RFC 5280 §5.1). The revoked certificates are not read. */
export interface RevocationList {
  /** The name of the issuer, for people. It may contain anything and must be escaped when it is printed. */
  issuer: string;
  /** Equal to the `subjectKey` of the authority that issued it. */
  issuerKey: string;
  thisUpdate: Date;
  /** Undefined if the list has no end date. */
  nextUpdate: Date | undefined;
  /** Whether this key made the signature; undefined if the algorithm is unknown here. */
  isSignedBy(key: KeyObject): boolean | undefined;
}

/** Digest names for `crypto.verify`, by signature algorithm (RFC 3279, 4055, 5758, 8410); null: the key implies it. */
const digests: ReadonlyMap<string, string | null> = new Map([
  ['1.2.840.113549.1.1.5', 'sha1'],
  ['1.2.840.113549.1.1.14', 'sha224'],
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.2.840.10045.4.1', 'sha1'],
  ['1.2.840.10045.4.3.1', 'sha224'],
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
  ['1.3.101.112', null],
  ['1.3.101.113', null],
]);

/** RSASSA-PSS, whose digest is among its parameters: each digest in use is tried. */
const probabilistic = '1.2.840.113549.1.1.10';
const probabilisticDigests = ['sha256', 'sha384', 'sha512'];

/**
 * Reads the header of one list, given as a PEM block.
 * @throws MalformedDerError
 */
export function readRevocationList(block: Buffer): RevocationList {
  const [signed, algorithm, signature] = childrenOf(new DerReader(pemContent(block)).read(derTags.sequence));
  if (signed === undefined || algorithm === undefined || signature === undefined)
    throw new MalformedDerError('a revocation list has three parts');
  const fields = new DerReader(signed.content);
  fields.readIf(derTags.integer);
  fields.read(derTags.sequence);
  const issuer = fields.read(derTags.sequence);
  const thisUpdate = timeOf(fields.read());
  const nextUpdate = fields.readIf(derTags.utcTime, derTags.generalizedTime);
  return {
    issuer: nameText(issuer),
    issuerKey: nameKey(issuer),
    thisUpdate,
    nextUpdate: nextUpdate === undefined ? undefined : timeOf(nextUpdate),
    isSignedBy: (key) => isSignedBy(key, signed, algorithm, signature),
  };
}

function isSignedBy(
  key: KeyObject,
  signed: DerElement,
  algorithm: DerElement,
  signature: DerElement,
): boolean | undefined {
  const [identifier] = childrenOf(algorithm);
  if (identifier === undefined) return undefined;
  const name = objectIdentifier(identifier);
  // A BIT STRING begins with the number of unused bits, which is 0 for a signature.
  const bytes = signature.content.subarray(1);
  if (name === probabilistic) {
    const padded = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO };
    return probabilisticDigests.some((digest) => verifies(digest, signed.whole, padded, bytes));
  }
  const digest = digests.get(name);
  return digest === undefined ? undefined : verifies(digest, signed.whole, key, bytes);
}

/** If the key's kind differs from the signature's, OpenSSL reports an error: it is the wrong key. */
function verifies(digest: string | null, data: Buffer, key: Parameters<typeof verify>[2], signature: Buffer): boolean {
  try {
    return verify(digest, data, key, signature);
  } catch (error) {
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_OSSL')) return false;
    throw error;
  }
}
