import type { X509Certificate } from 'node:crypto';
import type { CallerCertificate } from '../audit/event.js';
import { printable } from './printable.js';

/**
 * The maximum length of a name that is kept: a certificate may be as large as its owner likes, and each attempt writes
 * a line.
 */
const maximumNameLength = 512;

/** The fields that identify a certificate, made safe to print: its owner chose the names. */
export function certificateIdentity(certificate: X509Certificate): CallerCertificate {
  return {
    subject: printable(certificate.subject.replaceAll('\n', ', '), maximumNameLength),
    subjectAlternativeNames: printable(certificate.subjectAltName ?? '', maximumNameLength),
    sha256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
  };
}
