import type { X509Certificate } from 'node:crypto';
import { childrenOf, DerReader, derTags, type DerElement, MalformedDerError, objectIdentifier } from './der.js';
import { nameKey } from './name.js';

/** The fields that `X509Certificate` lacks: whether, and what, a certificate may sign (RFC 5280 §4.2.1). */
export interface CertificateFields {
  /** Equal for two certificates of one authority. See `nameKey`. */
  subjectKey: string;
  issuerKey: string;
  /** Version 1 has no extensions. */
  isVersion1: boolean;
  /** Basic constraints; undefined if absent. */
  isAuthority: boolean | undefined;
  /** Key usage; undefined if absent: then everything is allowed. */
  keyUsage: { keyCertSign: boolean; cRLSign: boolean } | undefined;
}

const basicConstraints = '2.5.29.19';
const keyUsage = '2.5.29.15';
/** The tags of the extensions, [3], and the version, [0], in TBSCertificate; both are EXPLICIT. */
const [extensionsTag, versionTag] = [0xa3, 0xa0];

/** Reads the fields. @throws MalformedDerError; never seen for a certificate that OpenSSL accepted. */
export function certificateFields(certificate: X509Certificate): CertificateFields {
  const [signed] = childrenOf(new DerReader(certificate.raw).read(derTags.sequence));
  if (signed === undefined) throw new MalformedDerError('a certificate has three parts');
  const fields = new DerReader(signed.content);
  const version = fields.readIf(versionTag);
  fields.read(derTags.integer);
  fields.read(derTags.sequence);
  const issuer = fields.read(derTags.sequence);
  fields.read(derTags.sequence);
  const subject = fields.read(derTags.sequence);
  const extensions = readExtensions(fields);
  return {
    subjectKey: nameKey(subject),
    issuerKey: nameKey(issuer),
    isVersion1: version === undefined,
    isAuthority: parsed(extensions.get(basicConstraints), isAuthorityOf),
    keyUsage: parsed(extensions.get(keyUsage), keyUsageOf),
  };
}

function readExtensions(fields: DerReader): ReadonlyMap<string, DerElement> {
  const found = new Map<string, DerElement>();
  while (!fields.atEnd) {
    const field = fields.read();
    if (field.tag !== extensionsTag) continue;
    for (const extension of childrenOf(new DerReader(field.content).read(derTags.sequence))) {
      const [identifier, ...rest] = childrenOf(extension);
      const value = rest.at(-1);
      if (identifier !== undefined && value !== undefined) found.set(objectIdentifier(identifier), value);
    }
  }
  return found;
}

/** An extension's value is DER inside an OCTET STRING. */
function parsed<T>(value: DerElement | undefined, parse: (element: DerElement) => T): T | undefined {
  return value === undefined ? undefined : parse(new DerReader(value.content).read());
}

function isAuthorityOf(constraints: DerElement): boolean {
  const [first] = childrenOf(constraints);
  return first?.tag === derTags.boolean && first.content[0] !== 0;
}

/** Bits are numbered from the most significant one, after the number of unused bits. */
function keyUsageOf(usage: DerElement): { keyCertSign: boolean; cRLSign: boolean } {
  const bits = usage.content[1] ?? 0;
  return { keyCertSign: (bits & 0x04) !== 0, cRLSign: (bits & 0x02) !== 0 };
}
