import { X509Certificate } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CertificateAuthority, type IssuedCertificate, issueServerCertificate } from '../../test/certificates.js';
import { judgeAuthorities } from './authority.js';
import { pemCertificates, pemRevocationLists } from './pem.js';
import { readRevocationList } from './revocation-list.js';

/** The judgement is compared with OpenSSL's, in a real handshake of a client whose certificate the authority issued. */

const authority = 'basicConstraints = critical, CA:TRUE';
const serving = new CertificateAuthority();
const server = issueServerCertificate(serving);
const made: CertificateAuthority[] = [serving];

function make(options: ConstructorParameters<typeof CertificateAuthority>[0]): CertificateAuthority {
  const created = new CertificateAuthority(options);
  made.push(created);
  return created;
}

afterAll(() => {
  for (const one of made) one[Symbol.dispose]();
});

interface Files {
  authorities: Buffer[];
  lists?: Buffer[];
  client: IssuedCertificate;
  /** Sent with the client's own certificate. */
  intermediates?: Buffer[];
}

/** Whether a TLS server with these files accepts the client. */
async function isLetIn({ authorities, lists, client, intermediates = [] }: Files): Promise<boolean> {
  const listener = tls.createServer({
    cert: server.certificate,
    key: server.key,
    ca: Buffer.concat(authorities),
    ...(lists === undefined ? {} : { crl: lists.flatMap(pemRevocationLists) }),
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
  });
  const outcome = new Promise<boolean>((resolve) => {
    listener.once('secureConnection', (socket) => {
      socket.end();
      resolve(true);
    });
    listener.once('tlsClientError', () => resolve(false));
  });
  await new Promise<void>((resolve) => void listener.listen(0, '127.0.0.1', resolve));
  const socket = tls.connect({
    host: '127.0.0.1',
    port: (listener.address() as AddressInfo).port,
    ca: serving.certificate,
    servername: 'localhost',
    cert: Buffer.concat([client.certificate, ...intermediates]),
    key: client.key,
  });
  socket.on('error', () => undefined);
  const letIn = await outcome;
  socket.destroy();
  listener.close();
  return letIn;
}

function judge({ authorities, lists }: Pick<Files, 'authorities' | 'lists'>) {
  const certificates = authorities.flatMap(pemCertificates).map((block) => new X509Certificate(block));
  const parsed = lists?.flatMap(pemRevocationLists).map(readRevocationList);
  return judgeAuthorities(certificates, parsed, new Date());
}

const clientOf = (issuer: CertificateAuthority): IssuedCertificate =>
  issuer.issue({ commonName: 'app', usage: 'client' });

describe('an authority alone', () => {
  test.each([
    ['of the usual kind', {}, undefined],
    ['with key usage for certificates', { extensions: [authority, 'keyUsage = critical, keyCertSign'] }, undefined],
    ['for clients alone', { extensions: [authority, 'extendedKeyUsage = clientAuth'] }, undefined],
    ['of version 1', { extensions: [] }, undefined],
    ['that has expired', { validity: 'past' }, /expired on 2020-01-02T00:00:00.000Z/],
    ['that is not valid yet', { validity: 'future' }, /is not valid before 2049-01-01T00:00:00.000Z/],
    [
      'that is not an authority',
      { extensions: ['basicConstraints = critical, CA:FALSE'] },
      /is not a certificate authority/,
    ],
    [
      'of version 3 that does not say so',
      { extensions: ['subjectKeyIdentifier = hash'] },
      /is not a certificate authority/,
    ],
    [
      'that may not sign',
      { extensions: [authority, 'keyUsage = critical, cRLSign'] },
      /does not allow it to sign cert/,
    ],
    ['for servers alone', { extensions: [authority, 'extendedKeyUsage = serverAuth'] }, /does not include clients/],
  ] as const)('%s', async (_, options, problem) => {
    const issuer = make(options);
    const files = { authorities: [issuer.certificate], client: clientOf(issuer) };
    const { acceptsClients, problems } = judge(files);
    expect(acceptsClients).toBe(problem === undefined);
    if (problem !== undefined) expect(problems[0]?.problem).toMatch(problem);
    expect(await isLetIn(files)).toBe(acceptsClients);
  });
});

describe('intermediate authorities', () => {
  let root: CertificateAuthority;
  let intermediate: CertificateAuthority;

  beforeAll(() => {
    root = make({ name: 'Root' });
    intermediate = make({ name: 'Intermediate', issuer: root });
  });

  test('verify clients together with their root', async () => {
    const files = { authorities: [intermediate.certificate, root.certificate], client: clientOf(intermediate) };
    expect(judge(files)).toEqual({ problems: [], acceptsClients: true });
    expect(await isLetIn(files)).toBe(true);
  });

  test('verify no client without their root', async () => {
    const files = { authorities: [intermediate.certificate], client: clientOf(intermediate) };
    expect(judge(files)).toMatchObject({ acceptsClients: false });
    expect(judge(files).problems[0]?.problem).toContain('does not have the authority that issued it (CN=Root)');
    expect(await isLetIn(files)).toBe(false);
  });

  test('verify no client under an expired root', async () => {
    const oldRoot = make({ name: 'Old root', validity: 'past' });
    const below = make({ name: 'Below', issuer: oldRoot });
    const files = { authorities: [below.certificate, oldRoot.certificate], client: clientOf(below) };
    expect(judge(files)).toMatchObject({ acceptsClients: false, problems: [{ subject: 'CN=Old root' }] });
    expect(await isLetIn(files)).toBe(false);
  });

  test('need a list of each authority up to the root', async () => {
    const authorities = [intermediate.certificate, root.certificate];
    const client = clientOf(intermediate);
    const both = { authorities, client, lists: [intermediate.revocationList(), root.revocationList()] };
    expect(judge(both)).toEqual({ problems: [], acceptsClients: true });
    expect(await isLetIn(both)).toBe(true);
    const one = { authorities, client, lists: [intermediate.revocationList()] };
    expect(judge(one)).toMatchObject({
      acceptsClients: false,
      problems: [{ subject: 'CN=Root', problem: 'there is no revocation list that it issued' }],
    });
    expect(await isLetIn(one)).toBe(false);
  });
});

describe('revocation lists', () => {
  test.each([
    ['in time', 'now', undefined],
    ['that has ended', 'past', /its revocation list ended on 2020-01-02/],
    ['that is not valid yet', 'future', /its revocation list is not valid before 2049-01-01/],
  ] as const)('a list %s', async (_, validity, problem) => {
    const issuer = make({});
    const lists = [issuer.revocationList(validity)];
    const files = { authorities: [issuer.certificate], lists, client: clientOf(issuer) };
    const { acceptsClients, problems } = judge(files);
    expect(acceptsClients).toBe(problem === undefined);
    if (problem !== undefined) expect(problems[0]?.problem).toMatch(problem);
    expect(await isLetIn(files)).toBe(acceptsClients);
  });

  test('an old list beside the new one is harmless', async () => {
    const issuer = make({});
    const lists = [issuer.revocationList('past'), issuer.revocationList()];
    const files = { authorities: [issuer.certificate], lists, client: clientOf(issuer) };
    expect(judge(files)).toEqual({ problems: [], acceptsClients: true });
    expect(await isLetIn(files)).toBe(true);
  });

  test('a list of another authority is not accepted', async () => {
    const [issuer, other] = [make({}), make({ name: 'Another' })];
    const files = { authorities: [issuer.certificate], lists: [other.revocationList()], client: clientOf(issuer) };
    expect(judge(files).problems[0]?.problem).toBe('there is no revocation list that it issued');
    expect(await isLetIn(files)).toBe(judge(files).acceptsClients);
  });

  test('a list signed by the key of a namesake is not accepted', async () => {
    const [issuer, namesake] = [make({}), make({})];
    const files = { authorities: [issuer.certificate], lists: [namesake.revocationList()], client: clientOf(issuer) };
    expect(judge(files).problems[0]?.problem).toBe('the revocation list with its name is signed by another key');
    expect(await isLetIn(files)).toBe(judge(files).acceptsClients);
  });

  test('a list of an authority that may not sign lists is not accepted', async () => {
    const issuer = make({ extensions: [authority, 'keyUsage = critical, keyCertSign'] });
    const files = { authorities: [issuer.certificate], lists: [issuer.revocationList()], client: clientOf(issuer) };
    expect(judge(files).problems[0]?.problem).toMatch(/cRLSign/);
    expect(await isLetIn(files)).toBe(judge(files).acceptsClients);
  });

  test('if one of two authorities has no list, only its clients are refused', async () => {
    const [one, two] = [make({ name: 'One' }), make({ name: 'Two' })];
    const shared = { authorities: [one.certificate, two.certificate], lists: [one.revocationList()] };
    expect(judge(shared)).toMatchObject({ acceptsClients: true, problems: [{ subject: 'CN=Two' }] });
    expect(await isLetIn({ ...shared, client: clientOf(one) })).toBe(true);
    expect(await isLetIn({ ...shared, client: clientOf(two) })).toBe(false);
  });
});
