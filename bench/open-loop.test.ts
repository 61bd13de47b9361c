import { readFileSync, writeFileSync } from 'node:fs';
import { createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CertificateAuthority, issueServerCertificate } from '../test/certificates.js';
import { ceilingOf, loadAt } from './open-loop.js';
import { ProgramFailure } from './program.js';
import type { Target } from './target.js';

let authority: CertificateAuthority;
let server: Http2SecureServer;
let target: Target;
let answer: (stream: ServerHttp2Stream) => void;

function answerWith(stream: ServerHttp2Stream, status: string): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }));
  stream.end();
}

beforeAll(async () => {
  authority = new CertificateAuthority();
  const { certificatePath, keyPath } = issueServerCertificate(authority);
  server = createSecureServer({ cert: readFileSync(certificatePath), key: readFileSync(keyPath) });
  server.on('stream', (stream) => answer(stream));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = authority.issue({ commonName: 'app', usage: 'client' });
  const framePath = join(certificatePath, '../frame');
  writeFileSync(framePath, Buffer.alloc(5));
  target = {
    port: (server.address() as AddressInfo).port,
    pid: process.pid,
    method: 'Encrypt',
    authorityPath: authority.certificatePath,
    clientCertificatePath: client.certificatePath,
    clientKeyPath: client.keyPath,
    messagePath: framePath,
    framePath,
  };
});
afterAll(() => {
  server.close();
  authority[Symbol.dispose]();
});

const load = () => ({ target, ratePerSecond: 200, seconds: 1, warmUpSeconds: 0, connections: 2 });

/** A server that answers nothing for a while, from its first request on, and then everything. */
function standStill(forMs: number): void {
  const waiting: ServerHttp2Stream[] = [];
  let stands = false;
  let stood = false;
  answer = (stream) => {
    if (stood) {
      answerWith(stream, '0');
      return;
    }
    waiting.push(stream);
    if (stands) return;
    stands = true;
    setTimeout(() => {
      stood = true;
      for (const one of waiting) answerWith(one, '0');
    }, forMs);
  };
}

test('requests go on being due while the server stands still, and each counts its whole wait', async () => {
  standStill(800);
  const { answered, latencyMs } = await loadAt(load());
  // A client that waits for answers would have sent two, and reported a short median.
  expect(answered).toBeGreaterThan(100);
  // Due by half time at the latest: at least three tenths of a second before the first answer.
  expect(latencyMs.p50).toBeGreaterThan(200);
  expect(latencyMs.p99).toBeGreaterThan(latencyMs.p50);
  expect(latencyMs.p999).toBeGreaterThanOrEqual(latencyMs.p99);
});

test('a measurement with a refused request fails', async () => {
  answer = (stream) => answerWith(stream, '7');
  const failed = loadAt(load());
  await expect(failed).rejects.toThrow(ProgramFailure);
  await expect(failed).rejects.toThrow('grpc-status 7');
});

test('the ceiling is the best level of Encrypt, and of nothing else', () => {
  const results = ['encrypt-h2load@32', 'encrypt-h2load@128', 'encrypt-cheap-token-h2load@32', 'echo-h2load@32'];
  expect(ceilingOf(results.map((name, index) => ({ name, rps: 100 + index })))).toBe(101);
  expect(() => ceilingOf([])).toThrow('ceiling is unknown');
});
