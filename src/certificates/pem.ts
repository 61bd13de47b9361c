/** Labels under which OpenSSL reads a certificate. */
const certificateLabels = '(?:X509 |TRUSTED )?CERTIFICATE';

/** The certificates of a PEM file, each with its own markers, in order. Text between them is ignored. */
export function pemCertificates(file: Buffer): Buffer[] {
  return blocks(file, certificateLabels);
}

/** The revocation lists of a PEM file, like `pemCertificates`. Node reads only the first list of a buffer. */
export function pemRevocationLists(file: Buffer): Buffer[] {
  return blocks(file, 'X509 CRL');
}

/** The bytes in a PEM block. */
export function pemContent(block: Buffer): Buffer {
  const text = block.toString('latin1').replaceAll(/-----[^-]+-----/g, '');
  return Buffer.from(text, 'base64');
}

function blocks(file: Buffer, label: string): Buffer[] {
  // latin1 keeps every byte; the length of a match is bounded by the next hyphen.
  const pattern = new RegExp(`-----BEGIN (${label})-----[^-]*-----END \\1-----`, 'g');
  return [...file.toString('latin1').matchAll(pattern)].map(([block]) => Buffer.from(block, 'latin1'));
}
