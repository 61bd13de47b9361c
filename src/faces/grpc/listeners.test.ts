import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { basename, dirname } from 'node:path';
import tls from 'node:tls';
import { Client, credentials, status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { CertificateAuthority, type IssuedCertificate } from '../../../test/certificates.js';
import { alice, FaceUnderTest, rawCall, temporarySocketPath } from '../../../test/grpc-face.js';
import { delay } from '../../clock.js';
import { systemClock } from '../../clock-system.js';

const noBytes = new Uint8Array();
const encrypt = '/holdfast.kms.v1.CryptographyService/Encrypt';

test.each([
  ['no certificate', () => null, /PEER_DID_NOT_RETURN_A_CERTIFICATE/],
  ['a wrong authority', () => issuedElsewhere(), /UNABLE_TO_GET_ISSUER_CERT_LOCALLY|UNABLE_TO_VERIFY_LEAF_SIGNATURE/],
  ['an expired certificate', expiredCertificate, /CERT_HAS_EXPIRED/],
] as const)('%s is refused before any request, and reported', async (_name, certificateFor, reason) => {
  await using face = await FaceUnderTest.start();
  const channelCredentials = face.credentials(certificateFor(face));
  const { error } = await rawCall(face.open(Client, face.target, channelCredentials), encrypt, noBytes, 2_000);
  expect([status.UNAVAILABLE, status.DEADLINE_EXCEEDED]).toContain(error?.code);
  expect(face.dispatcher.calls).toHaveLength(0);
  expect(face.refusals).toHaveLength(1);
  expect(face.refusals[0]).toMatchObject({ sourceAddress: '127.0.0.1', unreported: 0 });
  expect(face.refusals[0]?.reason).toMatch(reason);
});

test('a server certificate is not accepted from a client', async () => {
  await using face = await FaceUnderTest.start();
  const { error } = await rawCall(
    face.open(Client, face.target, face.credentials(face.server)),
    encrypt,
    noBytes,
    2_000,
  );
  expect(error).not.toBeNull();
  expect(face.dispatcher.calls).toHaveLength(0);
});

test('TLS 1.2 and a client without HTTP/2 are refused, and sessions are not resumed', async () => {
  await using face = await FaceUnderTest.start();
  const { certificate: cert, key } = face.client;
  const base = { host: '127.0.0.1', port: face.port, ca: face.authority.certificate, cert, key, ALPNProtocols: ['h2'] };
  expect(await handshake({ ...base, maxVersion: 'TLSv1.2' })).toMatch(/protocol version/i);
  expect(await handshake({ ...base, ALPNProtocols: ['http/1.1'] })).toMatch(/application.protocol/i);
  const socket = tls.connect(base);
  const sessions: Buffer[] = [];
  socket.on('session', (session) => sessions.push(session));
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  expect(socket.getProtocol()).toBe('TLSv1.3');
  await delay(systemClock, 100);
  socket.destroy();
  const [session] = sessions;
  if (session !== undefined) {
    const again = tls.connect({ ...base, session });
    await new Promise((resolve) => again.once('secureConnect', resolve));
    expect(again.isSessionReused()).toBe(false);
    again.destroy();
  }
});

test('reload takes a new revocation list, and a revoked client loses its open connection', async () => {
  await using face = await FaceUnderTest.start();
  const doomed = face.authority.issue({ commonName: 'alice', usage: 'client' });
  const client = face.open(Client, face.target, face.credentials(doomed));
  expect((await rawCall(client, encrypt, noBytes)).error).toBeNull();
  face.authority.revoke(doomed);
  const { certificate, key } = face.server;
  const clientCertificateAuthority = face.authority.certificate;
  const certificateRevocationList = face.authority.revocationList();
  expect(() => face.face.reload(0, { certificate: Buffer.from('x'), key, clientCertificateAuthority })).toThrow();
  expect((await rawCall(client, encrypt, noBytes)).error).toBeNull();
  face.face.reload(0, { certificate, key, clientCertificateAuthority, certificateRevocationList });
  await expect.poll(async () => (await rawCall(client, encrypt, noBytes, 500)).error?.code).not.toBeUndefined();
  expect((await face.send('KeyService/EnableKey', noBytes)).error).toBeNull();
});

test('a Unix socket is 0600 and its caller is the configured principal', async () => {
  const path = temporarySocketPath();
  await using face = await FaceUnderTest.start({}, [{ kind: 'unix', path, principal: alice }]);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const client = face.open(Client, `unix:${path}`, credentials.createInsecure());
  expect((await rawCall(client, encrypt, noBytes)).error).toBeNull();
  expect(face.dispatcher.calls[0]).toMatchObject({ principal: alice, sourceAddress: 'unix' });
});

test('a dead Unix socket is replaced; a live one, or another kind of file, is not', async () => {
  const path = temporarySocketPath();
  const listenAndDie = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', listenAndDie]);
  expect(statSync(path).isSocket()).toBe(true);
  const unix = { kind: 'unix', path, principal: alice } as const;
  await using face = await FaceUnderTest.start({}, [unix]);
  const client = face.open(Client, `unix:${path}`, credentials.createInsecure());
  expect((await rawCall(client, encrypt, noBytes)).error).toBeNull();
  await expect(FaceUnderTest.start({}, [unix])).rejects.toThrow('Another process listens on the Unix socket');
  expect((await rawCall(client, encrypt, noBytes)).error).toBeNull();

  const file = temporarySocketPath();
  writeFileSync(file, 'precious');
  await expect(FaceUnderTest.start({}, [{ ...unix, path: file }])).rejects.toThrow('a file that is not a socket');
  await expect(FaceUnderTest.start({}, [{ ...unix, path: `/${'x'.repeat(107)}` }])).rejects.toThrow('107 bytes');
});

test('if many servers start at once on one dead Unix socket, one serves and none takes its socket away', async () => {
  const path = temporarySocketPath();
  const listenAndDie = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  for (let round = 0; round < 5; round += 1) {
    spawnSync(process.execPath, ['-e', listenAndDie]);
    const listeners = [{ kind: 'unix', path, principal: alice }] as const;
    const starting = Array.from({ length: 8 }, () => FaceUnderTest.start({ listeners }));
    const settled = await Promise.allSettled(starting);
    const started = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(started).toHaveLength(1);
    const [face] = started;
    const client = new Client(`unix:${path}`, credentials.createInsecure());
    expect((await rawCall(client, encrypt, noBytes)).error).toBeNull();
    client.close();
    expect(readdirSync(dirname(path))).toEqual([basename(path)]);
    await face?.[Symbol.asyncDispose]();
    expect(readdirSync(dirname(path))).toEqual([]);
  }
});

test('plaintext listens on loopback only', async () => {
  const plaintext = { kind: 'plaintext', port: 0, principal: alice } as const;
  for (const address of ['0.0.0.0', '::', '192.0.2.1', 'localhost', '']) {
    await expect(FaceUnderTest.start({}, [{ ...plaintext, address }])).rejects.toThrow('loopback addresses only');
  }
  await using face = await FaceUnderTest.start({ listeners: [{ ...plaintext, address: '127.0.0.1' }] });
  const client = face.open(Client, face.target, credentials.createInsecure());
  expect((await rawCall(client, encrypt, noBytes)).error).toBeNull();
  expect(face.dispatcher.calls[0]).toMatchObject({ principal: alice, sourceAddress: '127.0.0.1' });
});

test('connections over the limit are closed', async () => {
  await using face = await FaceUnderTest.start({ limits: { maximumConnections: 1 } });
  const first = face.open(Client);
  expect((await rawCall(first, encrypt, noBytes)).error).toBeNull();
  expect((await rawCall(face.open(Client), encrypt, noBytes, 1_000)).error).not.toBeNull();
  expect((await rawCall(first, encrypt, noBytes)).error).toBeNull();
  expect(face.refusals[0]).toMatchObject({
    sourceAddress: '127.0.0.1',
    reason: 'too many connections to this listener',
  });
});

test('sockets without a TLS handshake cannot fill a listener: the oldest are closed', async () => {
  await using face = await FaceUnderTest.start({ limits: { maximumConnections: 8 } });
  const silent = Array.from({ length: 20 }, () => connect(face.port, '127.0.0.1'));
  const closed = silent.map((socket) => once(socket, 'close'));
  await Promise.all(closed.slice(0, 16));
  expect((await face.send('KeyService/EnableKey', noBytes)).error).toBeNull();
  expect(face.refusals[0]?.reason).toBe('too many unfinished TLS handshakes');
  for (const socket of silent) socket.destroy();
});

test('connected strangers cannot fill a listener: the oldest are closed', async () => {
  await using face = await FaceUnderTest.start({ limits: { maximumConnections: 8 } });
  const known = face.open(Client);
  expect((await rawCall(known, encrypt, noBytes)).error).toBeNull();
  const { certificate: cert, key } = face.authority.issue({ commonName: 'mallory', usage: 'client' });
  const open: tls.TLSSocket[] = [];
  for (let count = 0; count < 12; count += 1) {
    const socket = tls.connect({ port: face.port, ca: face.authority.certificate, cert, key, ALPNProtocols: ['h2'] });
    socket.on('error', () => undefined);
    socket.resume();
    await once(socket, 'secureConnect');
    open.push(socket);
  }
  await expect.poll(() => open.filter((socket) => !socket.destroyed).length).toBe(2);
  expect(open.slice(-2).map((socket) => socket.destroyed)).toEqual([false, false]);
  expect((await rawCall(known, encrypt, noBytes)).error).toBeNull();
  expect((await rawCall(face.open(Client), encrypt, noBytes)).error).toBeNull();
  expect(face.refusals).toMatchObject([{ kind: 'too-many-strangers', sourceAddress: '127.0.0.1' }]);
  for (const socket of open) socket.destroy();
});

test('a client that is slow to shake hands, or idle afterwards, is disconnected', async () => {
  await using face = await FaceUnderTest.start({ limits: { handshakeTimeoutMs: 100, idleTimeoutMs: 100 } });
  const silent = connect(face.port, '127.0.0.1');
  await once(silent, 'close');
  expect(face.refusals[0]?.reason).toBe('ERR_TLS_HANDSHAKE_TIMEOUT');
  const { certificate: cert, key } = face.client;
  const idle = tls.connect({ port: face.port, ca: face.authority.certificate, cert, key, ALPNProtocols: ['h2'] });
  idle.resume();
  await once(idle, 'close');
});

test('an IPv6 listener reports the address of its peer', async () => {
  const { authority, server } = new FaceUnderTest();
  const clientCertificateAuthority = authority.certificate;
  const listener = { kind: 'tls', address: '::1', port: 0, ...server, clientCertificateAuthority } as const;
  await using face = await FaceUnderTest.start({}, [listener]);
  const bound = face.face.bound[1];
  if (bound?.kind !== 'tls') throw new Error('There is no second TLS listener.');
  const client = authority.issue({ commonName: 'alice', usage: 'client' });
  const channel = credentials.createSsl(authority.certificate, client.key, client.certificate);
  expect((await rawCall(face.open(Client, `[::1]:${bound.port}`, channel), encrypt, noBytes)).error).toBeNull();
  expect(face.dispatcher.calls[0]).toMatchObject({ principal: alice, sourceAddress: '::1' });
  authority[Symbol.dispose]();
});

/** @returns the error that ends the handshake, or the server's next step after it. */
function handshake(options: tls.ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    const socket = tls.connect(options);
    socket.once('error', (error: Error) => resolve(error.message));
    socket.once('close', () => resolve('closed'));
  });
}

function issuedElsewhere(): IssuedCertificate {
  using authority = new CertificateAuthority('Somebody else');
  return authority.issue({ commonName: 'alice', usage: 'client' });
}

function expiredCertificate(face: FaceUnderTest): IssuedCertificate {
  return face.authority.issue({ commonName: 'alice', usage: 'client', expired: true });
}
