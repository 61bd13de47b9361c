import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { IssuedCertificate } from '../certificates.js';
import { Deployment, eventually, type RunningServer } from './deployment.js';
import type { Message } from './client.js';

let deployment: Deployment;
let server: RunningServer;

beforeAll(async () => {
  deployment = new Deployment({
    configure(configuration) {
      const [tlsListener] = configuration['listeners'] as Message[];
      if (tlsListener !== undefined) tlsListener['certificateRevocationList'] = 'crl.pem';
      Object.assign(configuration['telemetry'] as Message, { metrics: { port: 0 } });
    },
  });
  const revoked = deployment.certificateOf('app');
  deployment.authority.revoke(revoked);
  writeFileSync(join(deployment.folder, 'crl.pem'), deployment.authority.revocationList());
  server = await deployment.start();
});

afterAll(async () => {
  await server.stop();
  deployment.dispose();
});

const logLines = (message: string): Message[] =>
  readFileSync(deployment.logPath, 'utf8')
    .split('\n')
    .filter((line) => line.includes(`"msg":"${message}"`))
    .map((line) => JSON.parse(line) as Message);

const refusal = (kind: string): Promise<Message> =>
  eventually(() => {
    const found = logLines('connection refused').find((line) => line['kind'] === kind);
    return found === undefined ? Promise.reject(new Error('not yet')) : Promise.resolve(found);
  });

async function counted(kind: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${server.server.metricsPort ?? 0}/metrics`);
  const found = new RegExp(`^holdfast_connections_refused_total\\{reason="${kind}"\\} (\\d+)`, 'm').exec(
    await response.text(),
  );
  return Number(found?.[1] ?? 0);
}

const sha256Of = (issued: IssuedCertificate): string =>
  new X509Certificate(issued.certificate).fingerprint256.replaceAll(':', '').toLowerCase();

/** Shakes hands and waits until the server closes; a refused caller gets no more than the bytes received until then. */
async function received(options: tls.ConnectionOptions): Promise<number> {
  const socket = tls.connect({
    host: '127.0.0.1',
    port: server.port,
    ca: deployment.authority.certificate,
    servername: 'localhost',
    ALPNProtocols: ['h2'],
    ...options,
  });
  let bytes = 0;
  socket.on('data', (chunk: Buffer) => (bytes += chunk.length));
  socket.on('error', () => undefined);
  await once(socket, 'close');
  return bytes;
}

test.each([
  ['certificate-revoked', () => deployment.certificateOf('app'), 'CERT_REVOKED', 'CN=app'],
  ['unknown-authority', () => deployment.certificateOf('foreign'), 'UNABLE_TO', 'CN=operator'],
  [
    'certificate-expired',
    () =>
      deployment.authority.issue({
        commonName: 'late',
        usage: 'client',
        expired: true,
        subjectAlternativeName: 'DNS:late.example',
      }),
    'CERT_HAS_EXPIRED',
    'CN=late',
  ],
  [
    'certificate-not-accepted',
    () => deployment.authority.issue({ commonName: 'a server', usage: 'server' }),
    'INVALID_PURPOSE',
    'CN=a server',
  ],
] as const)('%s: nothing is sent, and the log identifies the certificate', async (kind, issue, reason, subject) => {
  const issued = issue();
  expect(await received({ cert: issued.certificate, key: issued.key })).toBe(0);
  expect(await refusal(kind)).toMatchObject({
    level: 'warn',
    reason: expect.stringContaining(reason) as string,
    subject,
    sha256: sha256Of(issued),
    sourceAddress: '127.0.0.1',
  });
  expect(await counted(kind)).toBe(1);
});

test('no certificate: nothing is sent', async () => {
  expect(await received({})).toBe(0);
  expect(await refusal('no-certificate')).toMatchObject({ level: 'warn' });
});

test('a silent TCP probe is a debug line, and hides no other refusal', async () => {
  for (let round = 0; round < 3; round += 1) {
    const probe = connect(server.port, '127.0.0.1');
    await once(probe, 'connect');
    probe.end();
    await once(probe, 'close');
  }
  expect(await refusal('silent')).toMatchObject({ level: 'debug' });
  expect(
    await eventually(async () => ((await counted('silent')) === 3 ? 3 : Promise.reject(new Error('not yet')))),
  ).toBe(3);
});

test('an unknown caller: log and audit have subject, names and fingerprint', async () => {
  const issued = deployment.authority.issue({
    commonName: 'nobody',
    usage: 'client',
    subjectAlternativeName: 'DNS:nobody.example,URI:spiffe://example/nobody',
  });
  const identity = {
    subject: 'CN=nobody',
    subjectAlternativeNames: 'DNS:nobody.example, URI:spiffe://example/nobody',
    sha256: sha256Of(issued),
  };
  const client = await callAs(issued);
  expect(client).toMatchObject({ reason: 'ACCESS_DENIED' });
  expect(logLines('client certificate names no principal').at(-1)).toMatchObject({ ...identity, reason: 'unknown' });
  const [record] = deployment.auditRecords().slice(-1);
  expect(record).toMatchObject({ principal: null, outcome: 'denied', certificate: identity });
  await server.client().call('ListKeys', {});
  expect(deployment.auditRecords().at(-1)).not.toHaveProperty('certificate');
});

test('a subject cannot forge a line, nor fill the log', async () => {
  const subject = `/O=${'x'.repeat(60)}/CN=a\u001b[2J\u2028{"level":"error","msg":"forged"}`;
  const issued = withSubject(subject);
  expect(await callAs(issued)).toMatchObject({ reason: 'ACCESS_DENIED' });
  const line =
    readFileSync(deployment.logPath, 'utf8')
      .split('\n')
      .filter((text) => text.includes('names no principal'))
      .at(-1) ?? '';
  expect(line).not.toMatch(/[\u0000-\u001f\u2028]/);
  expect((JSON.parse(line) as Message)['subject']).toContain('\\1B[2J\\u2028');
  const audit = readFileSync(deployment.auditPath, 'utf8').trimEnd().split('\n').at(-1) ?? '';
  expect(audit).not.toMatch(/[\u0000-\u001f\u2028]/);
  expect(JSON.parse(audit)).toMatchObject({ outcome: 'denied', principal: null });
});

async function callAs(issued: IssuedCertificate): Promise<Message> {
  const { HoldfastClient } = await import('./client.js');
  const grpc = await import('@grpc/grpc-js');
  const credentials = grpc.credentials.createSsl(deployment.authority.certificate, issued.key, issued.certificate);
  const client = new HoldfastClient({ target: `localhost:${server.port}`, credentials });
  try {
    return (await client.refusal('ListKeys', {})) as unknown as Message;
  } finally {
    client.close();
  }
}

/** A certificate that this authority signed with an arbitrary subject, as a careless registration would. */
function withSubject(subject: string): IssuedCertificate {
  const at = (name: string): string => join(deployment.folder, name);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', at('odd.key')];
  execFileSync('openssl', ['req', '-new', '-utf8', ...newKey, '-out', at('odd.csr'), '-subj', subject], {
    stdio: 'pipe',
  });
  const signer = [
    '-CA',
    deployment.authority.certificatePath,
    '-CAkey',
    join(deployment.authority.folder, 'ca-key.pem'),
  ];
  execFileSync('openssl', ['x509', '-req', '-in', at('odd.csr'), ...signer, '-CAcreateserial', '-out', at('odd.pem')], {
    stdio: 'pipe',
  });
  const [certificatePath, keyPath] = [at('odd.pem'), at('odd.key')];
  return { certificate: readFileSync(certificatePath), key: readFileSync(keyPath), certificatePath, keyPath };
}
