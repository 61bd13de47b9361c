import { X509Certificate } from 'node:crypto';
import { pemCertificates, pemRevocationLists } from './pem.js';
import { printable } from './printable.js';
import { readRevocationList } from './revocation-list.js';

/** Kinds of files that expire; values of a metric's label. */
export type CertificateKind = 'server-certificate' | 'client-authority' | 'revocation-list';

/** The period in which one certificate or revocation list of a listener is valid. */
export interface CertificateEnd {
  kind: CertificateKind;
  file: string;
  /** Subject of a certificate, issuer of a list; printable. */
  subject: string;
  notBefore: Date;
  /** Undefined for a list without an end date. */
  notAfter: Date | undefined;
}

/** The contents of a TLS listener's files. */
export interface TlsFiles {
  certificate: Buffer;
  clientCertificateAuthority: Buffer;
  certificateRevocationList?: Buffer | undefined;
}

/** The paths of these files. */
export interface TlsPaths {
  certificate: string;
  clientCertificateAuthority: string;
  certificateRevocationList: string | null;
}

const dayMs = 86_400_000;
const warnBeforeMs = 14 * dayMs;

/**
 * The validity of each certificate and list in a listener's files, in order.
 * @throws MalformedDerError, or the error of OpenSSL, for a certificate or list that is broken
 */
export function certificateEnds(files: TlsFiles, paths: TlsPaths): CertificateEnd[] {
  const { certificate, clientCertificateAuthority, certificateRevocationList } = files;
  return [
    ...ofCertificates('server-certificate', paths.certificate, certificate),
    ...ofCertificates('client-authority', paths.clientCertificateAuthority, clientCertificateAuthority),
    ...ofLists(paths.certificateRevocationList ?? '', certificateRevocationList ?? Buffer.alloc(0)),
  ];
}

function ofCertificates(kind: CertificateKind, file: string, content: Buffer): CertificateEnd[] {
  return pemCertificates(content).map((block) => {
    const { subject, validFrom, validTo } = new X509Certificate(block);
    const notBefore = new Date(validFrom);
    return { kind, file, subject: printable(subject.replaceAll('\n', ', ')), notBefore, notAfter: new Date(validTo) };
  });
}

function ofLists(file: string, content: Buffer): CertificateEnd[] {
  return pemRevocationLists(content).map((block) => {
    const { issuer, thisUpdate, nextUpdate } = readRevocationList(block);
    return {
      kind: 'revocation-list',
      file,
      subject: printable(issuer),
      notBefore: thisUpdate,
      notAfter: nextUpdate,
    };
  });
}

/**
 * Whether an operator should be warned now: from 14 days before the expiry, but not before half of the validity has
 * passed. Otherwise a list that is issued every day would always cause a warning.
 */
export function endsSoon({ notBefore, notAfter }: CertificateEnd, now: Date): boolean {
  if (notAfter === undefined) return false;
  const lifetimeMs = notAfter.getTime() - notBefore.getTime();
  return notAfter.getTime() - now.getTime() < Math.min(warnBeforeMs, lifetimeMs / 2);
}
