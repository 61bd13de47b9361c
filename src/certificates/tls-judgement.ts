import { X509Certificate } from 'node:crypto';
import { judgeAuthorities } from './authority.js';
import type { TlsFiles } from './certificate-end.js';
import { pemCertificates, pemRevocationLists } from './pem.js';
import { readRevocationList } from './revocation-list.js';

/** Why connections fail with these files now; undefined if they do not. */
export interface TlsJudgement {
  /** Every client refuses the server: its certificate, or one of its issuers in the file, is not valid now. */
  server: string | undefined;
  /** The server refuses every client. */
  clients: string | undefined;
}

/**
 * Judges the files of one listener.
 * @throws MalformedDerError, or the error of OpenSSL, for a certificate or list that is broken
 */
export function judgeTlsFiles(files: TlsFiles, now: Date): TlsJudgement {
  const lists = files.certificateRevocationList;
  const parsed = lists === undefined ? undefined : pemRevocationLists(lists).map(readRevocationList);
  const { acceptsClients, problems } = judgeAuthorities(certificatesOf(files.clientCertificateAuthority), parsed, now);
  return {
    server: certificatesOf(files.certificate)
      .map((certificate) => untimely(certificate, now))
      .find((problem) => problem !== undefined),
    clients: acceptsClients ? undefined : clientProblem(problems),
  };
}

function certificatesOf(file: Buffer): X509Certificate[] {
  return pemCertificates(file).map((block) => new X509Certificate(block));
}

function untimely({ validFrom, validTo }: X509Certificate, now: Date): string | undefined {
  const [from, to] = [new Date(validFrom), new Date(validTo)];
  if (now < from) return `the server certificate is not valid before ${from.toISOString()}`;
  return now > to ? `the server certificate expired on ${to.toISOString()}` : undefined;
}

function clientProblem(problems: readonly { subject: string; problem: string }[]): string {
  const reasons = problems.map(({ subject, problem }) => `${subject}: ${problem}`).join('; ');
  return `no client would be accepted: ${reasons === '' ? 'there is no certificate authority' : reasons}`;
}
