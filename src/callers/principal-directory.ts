import type { X509Certificate } from 'node:crypto';
import type { Principal } from '../calls/principal.js';
import type { Identity } from '../keys/identity.js';

/** An administrator or user of the file; its ARN is `arn:<partition>:iam::<account>:user/<name>` (IAM User Guide, "IAM ARNs"). */
export interface PrincipalConfiguration {
  readonly role: 'administrator' | 'user';
  readonly name: string;
  readonly account: string;
  /** The client certificates of this principal; null if it calls over a socket only. */
  readonly certificate: CertificateMatch | null;
  /** Keys that a user may use: key ids, key ARNs and alias names. Empty for administrators. */
  readonly keys: readonly string[];
}

/** Exactly one property of a client certificate (already verified against the certificate authority). */
export interface CertificateMatch {
  readonly kind: 'commonName' | 'uri' | 'dns' | 'sha256';
  /** The text to match; for `sha256`, the 64 lower-case hex digits of the DER's digest. */
  readonly value: string;
}

/** The names of a certificate that principals can be matched by. */
export interface CertificateNames {
  /** Null if the subject has none, or several: then it matches no principal. */
  commonName: string | null;
  /** URIs of the subject alternative name (SPIFFE ids, for example). */
  uris: string[];
  /** DNS names of the subject alternative name, in lower case. */
  dnsNames: string[];
  /** 64 lower-case hex digits of the DER's SHA-256. */
  sha256: string;
}

/**
 * The result of looking up a client certificate. A caller that is not found is let in without a principal, denied and
 * audited.
 */
export type PrincipalLookup =
  | { found: true; principal: Principal }
  /** `ambiguous`: the certificate matches several principals, so it maps to none. */
  | { found: false; reason: 'unknown' | 'ambiguous' };

/** The principals of the configuration. */
export interface DirectoryOptions {
  principals: readonly PrincipalConfiguration[];
  identity: Pick<Identity, 'partition' | 'region'>;
}

/** Maps callers to the principals of the configuration. The certificate's chain was verified before. */
export class PrincipalDirectory {
  readonly #byName = new Map<string, Principal>();
  readonly #byMatch = new Map<string, Principal>();

  constructor({ principals, identity }: DirectoryOptions) {
    for (const entry of principals) {
      const principal = toPrincipal(entry, identity);
      this.#byName.set(entry.name, principal);
      if (entry.certificate !== null) this.#byMatch.set(matchKey(entry.certificate), principal);
    }
  }

  /** The principal of a socket. */
  byName(name: string): Principal | undefined {
    return this.#byName.get(name);
  }

  /** The one principal a verified client certificate maps to. */
  byCertificate(certificate: X509Certificate): PrincipalLookup {
    const names = certificateNames(certificate);
    const found = new Set<Principal>();
    for (const match of possibleMatches(names)) {
      const principal = this.#byMatch.get(matchKey(match));
      if (principal !== undefined) found.add(principal);
    }
    const [principal, ...others] = found;
    if (principal === undefined) return { found: false, reason: 'unknown' };
    return others.length === 0 ? { found: true, principal } : { found: false, reason: 'ambiguous' };
  }
}

/** ARN, name, account and region of a configured principal (IAM User Guide, "IAM ARNs"). */
function toPrincipal(entry: PrincipalConfiguration, identity: Pick<Identity, 'partition' | 'region'>): Principal {
  const arn = `arn:${identity.partition}:iam::${entry.account}:user/${entry.name}`;
  return { arn, name: entry.name, account: entry.account, region: identity.region };
}

/** Reads the names of a certificate that principals can be matched by. */
export function certificateNames(certificate: X509Certificate): CertificateNames {
  const alternative = parseAlternativeNames(certificate.subjectAltName ?? '');
  const values = (kind: string) => alternative.filter((entry) => entry.kind === kind).map(({ value }) => value);
  return {
    commonName: commonName(certificate),
    uris: values('URI'),
    dnsNames: values('DNS').map((name) => name.toLowerCase()),
    sha256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
  };
}

/** Reads the decoded subject: its printed form would have to be unescaped. Node returns a list if there are several. */
function commonName(certificate: X509Certificate): string | null {
  const subject = certificate.toLegacyObject().subject as unknown as Record<string, unknown> | undefined;
  const value = subject?.['CN'];
  return typeof value === 'string' && value !== '' ? value : null;
}

function possibleMatches(names: CertificateNames): CertificateMatch[] {
  return [
    ...(names.commonName === null ? [] : [{ kind: 'commonName', value: names.commonName } as const]),
    ...names.uris.map((value) => ({ kind: 'uri', value }) as const),
    ...names.dnsNames.map((value) => ({ kind: 'dns', value }) as const),
    { kind: 'sha256', value: names.sha256 },
  ];
}

function matchKey(match: CertificateMatch): string {
  return `${match.kind} ${match.value}`;
}

/**
 * Node prints the extension as `DNS:a, URI:b`, and quotes a value as a JSON string if it contains anything that could
 * be taken for its end (Node's answer to CVE-2021-44532). A part of any other form is dropped: it matches nothing.
 */
function parseAlternativeNames(text: string): { kind: string; value: string }[] {
  const entries: { kind: string; value: string }[] = [];
  const pattern = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/gy;
  for (const [, kind, value] of text.matchAll(pattern)) {
    if (kind === undefined || value === undefined) continue;
    const plain = value.startsWith('"') ? parseQuoted(value) : value;
    if (plain !== undefined && plain !== '') entries.push({ kind, value: plain });
  }
  return entries;
}

function parseQuoted(value: string): string | undefined {
  try {
    return JSON.parse(value) as string;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
