import type { X509Certificate } from 'node:crypto';
import { type CertificateFields, certificateFields } from './certificate-fields.js';
import { printable } from './printable.js';
import type { RevocationList } from './revocation-list.js';

/** Why an authority certificate can verify no client, and the remedy. */
export interface AuthorityProblem {
  /** The subject of the certificate, printable. */
  subject: string;
  problem: string;
  remedy: string;
}

/** The effect of the authorities' file and the revocation lists on clients. */
export interface AuthorityJudgement {
  problems: AuthorityProblem[];
  /** False if every client would be turned away, whatever its certificate. */
  acceptsClients: boolean;
}

interface Authority {
  certificate: X509Certificate;
  fields: CertificateFields;
  subject: string;
}

type Reason = Omit<AuthorityProblem, 'subject'>;

const clientAuthentication = '1.3.6.1.5.5.7.3.2';

/**
 * Judges as OpenSSL does when it verifies a client (X509_verify_cert with CRL_CHECK_ALL if there are lists): each
 * authority from the client's issuer up to a self-signed root in the file must be allowed to sign, be valid now, and
 * have a current list.
 * @param lists undefined if no revocation lists are configured
 */
export function judgeAuthorities(
  certificates: readonly X509Certificate[],
  lists: readonly RevocationList[] | undefined,
  now: Date,
): AuthorityJudgement {
  const authorities = certificates.map((certificate) => ({
    certificate,
    fields: certificateFields(certificate),
    subject: printable(certificate.subject.replaceAll('\n', ', ')),
  }));
  const reasons = new Map(
    authorities.map((authority) => [
      authority,
      signingProblem(authority) ??
        timeProblem(authority, now) ??
        chainProblem(authority, authorities) ??
        (lists === undefined ? undefined : listProblem(authority, lists, now)),
    ]),
  );
  const isSound = (authority: Authority): boolean =>
    chainOf(authority, authorities).every((link) => reasons.get(link) === undefined);
  return {
    problems: authorities.flatMap((authority) => {
      const reason = reasons.get(authority);
      return reason === undefined ? [] : [{ subject: authority.subject, ...reason }];
    }),
    acceptsClients: authorities.some(isSound),
  };
}

/** Checks the same as OpenSSL's X509_check_ca and its purpose "SSL client". */
function signingProblem({ certificate, fields }: Authority): Reason | undefined {
  const { keyUsage, isAuthority, isVersion1 } = fields;
  const remedy = 'use the certificate of the authority that signs client certificates';
  if (keyUsage?.keyCertSign === false)
    return { problem: 'its key usage does not allow it to sign certificates (keyCertSign)', remedy };
  const isOldRoot = isVersion1 && fields.subjectKey === fields.issuerKey;
  if (isAuthority === false || (isAuthority === undefined && keyUsage === undefined && !isOldRoot))
    return { problem: 'it is not a certificate authority (basicConstraints CA:TRUE)', remedy };
  const purposes = certificate.keyUsage as string[] | undefined;
  if (purposes !== undefined && !purposes.includes(clientAuthentication))
    return { problem: 'its extended key usage does not include clients (clientAuth)', remedy };
  return undefined;
}

function timeProblem({ certificate }: Authority, now: Date): Reason | undefined {
  const [from, to] = [new Date(certificate.validFrom), new Date(certificate.validTo)];
  if (now < from)
    return { problem: `it is not valid before ${from.toISOString()}`, remedy: 'check the clock of this machine' };
  if (now <= to) return undefined;
  return { problem: `it expired on ${to.toISOString()}`, remedy: 'replace it by a certificate that is valid now' };
}

/** OpenSSL trusts a chain only if it ends in a self-signed certificate. */
function chainProblem(authority: Authority, authorities: readonly Authority[]): Reason | undefined {
  const top = chainOf(authority, authorities).at(-1) ?? authority;
  if (top.fields.subjectKey === top.fields.issuerKey) return undefined;
  const issuer = printable(top.certificate.issuer.replaceAll('\n', ', '));
  return {
    problem: `the file does not have the authority that issued it (${issuer}), up to a self-signed one`,
    remedy: 'add the missing authorities to the file, the root too',
  };
}

/** The chain from an authority to its last issuer in the file, each certificate once. */
function chainOf(authority: Authority, authorities: readonly Authority[]): Authority[] {
  const chain = [authority];
  for (let current: Authority = authority; current.fields.subjectKey !== current.fields.issuerKey; ) {
    const below = current;
    const issuer = authorities.find((candidate) => !chain.includes(candidate) && hasIssued(candidate, below));
    if (issuer === undefined) break;
    chain.push(issuer);
    current = issuer;
  }
  return chain;
}

function hasIssued({ certificate: issuer }: Authority, { certificate }: Authority): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function listProblem(
  { certificate, fields }: Authority,
  lists: readonly RevocationList[],
  now: Date,
): Reason | undefined {
  const own = lists.filter(({ issuerKey }) => issuerKey === fields.subjectKey);
  const remedy = 'add its newest list to the file of revocation lists';
  if (own.length === 0) return { problem: 'there is no revocation list that it issued', remedy };
  if (fields.keyUsage?.cRLSign === false)
    return {
      problem: 'its key usage does not allow it to sign revocation lists (cRLSign)',
      remedy: 'issue it anew with cRLSign',
    };
  const signed = own.filter((list) => list.isSignedBy(certificate.publicKey) !== false);
  if (signed.length === 0) return { problem: 'the revocation list with its name is signed by another key', remedy };
  if (signed.some((list) => listTimeProblem(list, now) === undefined)) return undefined;
  const problem = signed.map((list) => listTimeProblem(list, now)).at(-1) ?? '';
  return { problem: `its revocation list ${problem}`, remedy };
}

/** Why a list cannot be used now; continues a sentence. */
export function listTimeProblem({ thisUpdate, nextUpdate }: RevocationList, now: Date): string | undefined {
  if (now < thisUpdate) return `is not valid before ${thisUpdate.toISOString()}`;
  if (nextUpdate === undefined || now <= nextUpdate) return undefined;
  return `ended on ${nextUpdate.toISOString()}`;
}
