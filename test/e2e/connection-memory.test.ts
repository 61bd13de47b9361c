import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import tls from 'node:tls';
import { afterAll, expect, test } from 'vitest';
import { CertificateAuthority, issueServerCertificate } from '../certificates.js';

const hooks = fileURLToPath(new URL('../contract/typescript-hooks.mjs', import.meta.url));
const program = fileURLToPath(new URL('tls-listener-process.ts', import.meta.url));
const authority = new CertificateAuthority();

/** `HOLDFAST_CONNECTIONS=10000` for the long form. */
const connections = Number(process.env['HOLDFAST_CONNECTIONS'] ?? 3_000);
const maxRounds = 3;
const slices = 3;
const atOnce = 20;
/**
 * `getPeerX509Certificate` leaks about 5 KiB per connection. A single slice may show a step of the heap, the median
 * does not.
 */
const allowedBytesPerConnection = 2_560;

let child: ChildProcess;

afterAll(() => {
  child.disconnect();
  authority[Symbol.dispose]();
});

async function answer<Message>(): Promise<Message> {
  const [message] = (await once(child, 'message')) as [Message];
  return message;
}

async function residentBytes(): Promise<number> {
  child.send('measure');
  const { residentBytes: bytes } = await answer<{ residentBytes: number }>();
  return bytes;
}

async function connect(options: tls.ConnectionOptions, count: number): Promise<void> {
  for (let made = 0; made < count; made += atOnce) {
    await Promise.all(Array.from({ length: atOnce }, () => connectOnce(options)));
  }
}

async function connectOnce(options: tls.ConnectionOptions): Promise<void> {
  const socket = tls.connect(options);
  // The server ends the connection once it has read the certificate.
  socket.resume().on('end', () => socket.end());
  await once(socket, 'close');
}

/** @returns how many bytes the server grew for each connection, in each slice */
async function growthPerConnection(options: tls.ConnectionOptions): Promise<number[]> {
  const growth: number[] = [];
  let before = await residentBytes();
  for (let slice = 0; slice < slices; slice += 1) {
    await connect(options, connections / slices);
    const after = await residentBytes();
    growth.push((after - before) / (connections / slices));
    before = after;
  }
  return growth;
}

function median(values: readonly number[] = []): number {
  return [...values].sort((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN;
}

test('short connections with client certificates leave no memory behind', { timeout: 600_000 }, async () => {
  const server = issueServerCertificate(authority);
  const client = authority.issue({ commonName: 'alice', usage: 'client', subjectAlternativeName: 'DNS:alice.example' });
  const paths = [server.certificatePath, server.keyPath, authority.certificatePath];
  child = fork(program, paths, { execArgv: ['--expose-gc', '--import', hooks] });
  const { port } = await answer<{ port: number }>();
  const { certificate: cert, key } = client;
  const options = { host: '127.0.0.1', port, ca: authority.certificate, cert, key, ALPNProtocols: ['h2'] };
  await connect(options, connections / 2);
  const rounds: number[][] = [];
  // The allocator returns memory at its own pace; a leak grows in every round.
  do rounds.push(await growthPerConnection(options));
  while (rounds.length < maxRounds && median(rounds.at(-1)) >= allowedBytesPerConnection);
  expect(median(rounds.at(-1)), `bytes a connection: ${rounds.join(' | ')}`).toBeLessThan(allowedBytesPerConnection);
});
