import type { KeyObject } from 'node:crypto';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { Configuration, TlsListener } from '../../config/configuration.js';
import type { Finding } from './finding.js';
import { fail, ok, reasonOf, warn } from './finding.js';

const dayMs = 86_400_000;
const warnBeforeDays = 30;

/** Certificates of listeners and clusters: readable, in time, chained, and their keys. */
export async function checkCertificates(configuration: Configuration, now: Date): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const listener of configuration.listeners) {
    if (listener.kind === 'tls') findings.push(...(await checkListener(listener, now)));
  }
  for (const { name, trustAnchorCertificate } of configuration.clusters) {
    const subject = `trust anchor of cluster ${name}`;
    const anchor = await readChain(trustAnchorCertificate, subject);
    findings.push(...(anchor.finding === undefined ? [checkAnchor(anchor.chain, subject)] : [anchor.finding]));
  }
  return findings;
}

/** It is compared, not trusted: when it expires nothing happens. */
function checkAnchor(chain: readonly X509Certificate[], subject: string): Finding {
  if (chain.length === 1) return ok(subject, oneLine(chain[0]?.subject));
  return fail(subject, `the file holds ${chain.length} certificates`, 'it must hold exactly one');
}

async function checkListener(listener: TlsListener, now: Date): Promise<Finding[]> {
  const subject = `server certificate ${listener.certificate}`;
  const server = await readChain(listener.certificate, subject);
  const authoritySubject = `client certificate authority ${listener.clientCertificateAuthority}`;
  const authority = await readChain(listener.clientCertificateAuthority, authoritySubject);
  return [
    ...(server.finding === undefined ? checkServer(server.chain, subject, now) : [server.finding]),
    await checkKey(listener.key, server.chain[0]),
    ...(authority.finding === undefined
      ? checkAuthorities(authority.chain, authoritySubject, now)
      : [authority.finding]),
    ...(listener.certificateRevocationList === null
      ? []
      : [await checkRevocationList(listener.certificateRevocationList)]),
  ];
}

function checkServer(chain: readonly X509Certificate[], subject: string, now: Date): Finding[] {
  const [leaf, ...issuers] = chain;
  if (leaf === undefined) return [];
  const findings = [checkTime(leaf, subject, now)];
  const broken = issuers.findIndex((issuer, index) => {
    const issued = chain[index];
    return issued === undefined || !issued.checkIssued(issuer) || !issued.verify(issuer.publicKey);
  });
  if (broken >= 0)
    findings.push(
      fail(
        subject,
        `certificate ${broken + 2} of the file did not sign the one before it`,
        'order the file from the server certificate to its issuer',
      ),
    );
  if (leaf.subjectAltName === undefined)
    findings.push(
      warn(
        subject,
        'it has no subject alternative name',
        'clients will not take it for any host; issue one with DNS or IP names',
      ),
    );
  return findings;
}

function checkAuthorities(chain: readonly X509Certificate[], subject: string, now: Date): Finding[] {
  return chain.flatMap((certificate) => [
    checkTime(certificate, subject, now),
    ...(certificate.ca
      ? []
      : [
          fail(
            subject,
            `${oneLine(certificate.subject)} is not a certificate authority`,
            'use the certificate that signs client certificates (basicConstraints CA:TRUE)',
          ),
        ]),
  ]);
}

function checkTime(certificate: X509Certificate, subject: string, now: Date): Finding {
  const [from, to] = [new Date(certificate.validFrom), new Date(certificate.validTo)];
  if (now < from) return fail(subject, `not valid before ${from.toISOString()}`, 'check the clock of this machine');
  if (now > to) return fail(subject, `expired on ${to.toISOString()}`, 'renew it');
  const days = Math.floor((to.getTime() - now.getTime()) / dayMs);
  if (days < warnBeforeDays) return warn(subject, `expires in ${days} days, on ${to.toISOString()}`, 'renew it');
  return ok(subject, `${oneLine(certificate.subject)}, until ${to.toISOString().slice(0, 10)}`);
}

async function checkKey(file: string, certificate: X509Certificate | undefined): Promise<Finding> {
  const subject = `server key ${file}`;
  let key: KeyObject;
  try {
    const { mode } = await stat(file);
    if ((mode & 0o077) !== 0)
      return fail(subject, `it is open to others (mode ${(mode & 0o777).toString(8)})`, `chmod 600 ${file}`);
    key = createPrivateKey(await readFile(file));
  } catch (error) {
    return fail(subject, `it cannot be read: ${reasonOf(error)}`, 'it must be an unencrypted private key in PEM');
  }
  if (certificate === undefined || certificate.checkPrivateKey(key))
    return ok(subject, 'it belongs to the certificate');
  return fail(subject, 'it is not the key of the server certificate', 'use the pair that was issued together');
}

async function checkRevocationList(file: string): Promise<Finding> {
  const subject = `certificate revocation list ${file}`;
  try {
    createSecureContext({ crl: await readFile(file) });
    // Node cannot read when it ends; from then on the server refuses everybody.
    return ok(subject, `readable; when it ends is not checked: openssl crl -noout -nextupdate -in ${file}`);
  } catch (error) {
    return fail(subject, `it cannot be used: ${reasonOf(error)}`, 'it must be in PEM');
  }
}

interface Chain {
  chain: X509Certificate[];
  finding?: Finding;
}

async function readChain(file: string, subject: string): Promise<Chain> {
  try {
    const text = await readFile(file, 'latin1');
    const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
    if (blocks.length === 0) throw new Error('it holds no PEM certificate');
    return { chain: blocks.map((block) => new X509Certificate(block)) };
  } catch (error) {
    return {
      chain: [],
      finding: fail(
        subject,
        `it cannot be used: ${reasonOf(error)}`,
        'it must be a readable PEM file; docs/operating-guide.md, Certificates, shows how to make one',
      ),
    };
  }
}

function oneLine(name: string | undefined): string {
  return (name ?? '').replaceAll('\n', ', ');
}
