import type { KeyObject } from 'node:crypto';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { judgeAuthorities, listTimeProblem } from '../certificates/authority.js';
import { pemCertificates, pemRevocationLists } from '../certificates/pem.js';
import { printable } from '../certificates/printable.js';
import { readRevocationList, type RevocationList } from '../certificates/revocation-list.js';
import { readCertificates, readRevocationLists, readTlsKey } from '../composition/listener-options.js';
import type { TlsListener } from '../config/configuration.js';
import type { Finding } from './finding.js';
import { fail, ok, reasonOf, refuse, remedyOf, warn } from './finding.js';
import type { Surroundings } from './precondition.js';

const dayMs = 86_400_000;
const warnBeforeDays = 30;
const makeOne = 'it must be a readable PEM file; docs/operating/certificates.md shows how to create one';
const useAuthority = 'use the certificate that signs client certificates (basicConstraints CA:TRUE)';

/** The files of every TLS listener: readable, complete, matching, valid now, and able to verify a client. */
export async function checkTlsFiles({ configuration, now }: Surroundings): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const listener of configuration.listeners) {
    if (listener.kind === 'tls') findings.push(...(await checkTlsListener(listener, now)));
  }
  return findings;
}

/** The files of one listener. */
async function checkTlsListener(listener: TlsListener, now: Date): Promise<Finding[]> {
  const server = await readChain(listener.certificate, `server certificate ${listener.certificate}`);
  return [
    ...('finding' in server ? [server.finding] : checkServer(server, now)),
    await checkKey(listener.key, 'chain' in server ? server : undefined),
    ...(await checkClientFiles(listener, now)),
  ];
}

function checkServer({ chain, subject }: Chain, now: Date): Finding[] {
  const [leaf] = chain;
  if (leaf === undefined) return [];
  const broken = chain.slice(1).findIndex((issuer, index) => {
    const issued = chain[index];
    return issued === undefined || !issued.checkIssued(issuer) || !issued.verify(issuer.publicKey);
  });
  const order = 'order the file from the server certificate to its issuer';
  return [
    ...chain.map((certificate) => checkTime(certificate, subject, now)),
    ...(broken < 0
      ? []
      : [fail(subject, `certificate ${broken + 2} of the file did not sign the one before it`, order)]),
    ...(leaf.subjectAltName !== undefined
      ? []
      : [
          warn(
            subject,
            'it has no subject alternative name',
            'clients will accept it for no host; issue one with DNS or IP names',
          ),
        ]),
  ];
}

function checkTime(certificate: X509Certificate, subject: string, now: Date): Finding {
  const [from, to] = [new Date(certificate.validFrom), new Date(certificate.validTo)];
  if (now < from) return fail(subject, `not valid before ${from.toISOString()}`, 'check the clock of this machine');
  if (now > to) return fail(subject, `expired on ${to.toISOString()}`, 'renew it');
  const days = Math.floor((to.getTime() - now.getTime()) / dayMs);
  if (days < warnBeforeDays) return warn(subject, `expires in ${days} days, on ${to.toISOString()}`, 'renew it');
  return ok(subject, `${nameOf(certificate)}, until ${to.toISOString().slice(0, 10)}`);
}

async function checkKey(file: string, server: Chain | undefined): Promise<Finding> {
  const subject = `server key ${file}`;
  let key: KeyObject;
  let pem: Buffer;
  try {
    pem = await readTlsKey(file);
  } catch (error) {
    const remedy = 'the key that was issued with the certificate, for this user alone: 0600';
    return refuse(subject, reasonOf(error), remedyOf(error, remedy));
  }
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    return refuse(subject, `it cannot be used: ${reasonOf(error)}`, 'it must be an unencrypted private key in PEM');
  }
  if (server?.chain[0]?.checkPrivateKey(key) === false)
    return refuse(subject, 'it is not the key of the server certificate', 'use the pair that was issued together');
  try {
    // OpenSSL judges the pair as it will in the listener: the key may be too short, or the digest forbidden.
    if (server !== undefined) createSecureContext({ cert: server.file, key: pem, minVersion: 'TLSv1.3' });
  } catch (error) {
    return refuse(subject, `TLS refuses it: ${reasonOf(error)}`, 'issue another pair');
  }
  return ok(subject, server === undefined ? 'it is a private key' : 'it belongs to the certificate');
}

/** Checks the authorities together with the lists: both decide whether a client can be accepted. No secret is read. */
export async function checkClientFiles(listener: TlsListener, now: Date): Promise<Finding[]> {
  const subject = `client certificate authority ${listener.clientCertificateAuthority}`;
  const authority = await readChain(listener.clientCertificateAuthority, subject);
  const lists = await readLists(listener.certificateRevocationList);
  const unreadable = [
    ...('finding' in authority ? [authority.finding] : []),
    ...('finding' in lists ? [lists.finding] : []),
  ];
  if ('finding' in authority) return unreadable;
  const usable = 'lists' in lists ? lists.lists : undefined;
  const { problems, acceptsClients } = judgeAuthorities(authority.chain, usable, now);
  const consequence = acceptsClients ? 'clients that it signed are refused' : 'every client is refused';
  const findings = problems.map(({ subject: name, problem, remedy }) =>
    (acceptsClients ? warn : fail)(subject, `${name}: ${problem}: ${consequence}`, remedy),
  );
  return [
    ...(findings.length > 0 ? findings : authority.chain.map((certificate) => checkTime(certificate, subject, now))),
    ...(usable ?? []).map((list) => checkList(listener.certificateRevocationList ?? '', list, acceptsClients, now)),
    ...unreadable,
  ];
}

/** `lists` is undefined if none are configured. Unreadable ones do not count against the authorities. */
async function readLists(file: string | null): Promise<{ lists: RevocationList[] | undefined } | { finding: Finding }> {
  try {
    const content = await readRevocationLists(file);
    if (content === undefined) return { lists: undefined };
    const blocks = pemRevocationLists(content);
    if (blocks.length === 0) throw new Error('it contains no list');
    createSecureContext({ crl: blocks });
    return { lists: blocks.map(readRevocationList) };
  } catch (error) {
    const remedy = remedyOf(error, 'it must be in PEM (X509 CRL): openssl ca -gencrl makes one');
    return { finding: refuse(listSubject(file), `it cannot be used: ${reasonOf(error)}`, remedy) };
  }
}

function listSubject(file: string | null): string {
  return `certificate revocation list ${file ?? ''}`;
}

/** An old list beside a newer one of its authority is harmless. */
function checkList(file: string, list: RevocationList, acceptsClients: boolean, now: Date): Finding {
  const subject = listSubject(file);
  const problem = listTimeProblem(list, now);
  const issuer = printable(list.issuer);
  if (problem !== undefined)
    return (acceptsClients ? warn : fail)(
      subject,
      `the list of ${issuer} ${problem}`,
      'issue a new one, put it in place, and send SIGHUP',
    );
  return ok(
    subject,
    `the list of ${issuer}, ${list.nextUpdate === undefined ? 'without an end date' : `until ${list.nextUpdate.toISOString()}`}`,
  );
}

/** The certificates of a file, and its whole content. */
interface Chain {
  chain: X509Certificate[];
  file: Buffer;
  subject: string;
}

async function readChain(path: string, subject: string): Promise<Chain | { finding: Finding }> {
  try {
    const file = await readCertificates(path);
    const chain = pemCertificates(file).map((block) => new X509Certificate(block));
    if (chain.length > 0) return { chain, file, subject };
    const remedy = subject.startsWith('client') ? useAuthority : makeOne;
    return { finding: refuse(subject, 'it contains no certificate in PEM', remedy) };
  } catch (error) {
    return { finding: refuse(subject, `it cannot be used: ${reasonOf(error)}`, remedyOf(error, makeOne)) };
  }
}

function nameOf(certificate: X509Certificate): string {
  return printable(certificate.subject.replaceAll('\n', ', '));
}
