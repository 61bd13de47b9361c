import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { CertificateMatch } from './principal-directory.js';
import { certificateNames, PrincipalDirectory } from './principal-directory.js';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-principals-'));
afterAll(() => rmSync(folder, { recursive: true }));

let count = 0;

function certificate(subject: string, alternativeNames?: string): X509Certificate {
  const path = join(folder, `${count++}.pem`);
  const extension = alternativeNames === undefined ? [] : ['-addext', `subjectAltName=${alternativeNames}`];
  const options = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', join(folder, 'key')];
  execFileSync('openssl', ['req', '-x509', ...options, '-out', path, '-subj', subject, ...extension], {
    stdio: 'pipe',
  });
  return new X509Certificate(readFileSync(path));
}

function directory(matches: Record<string, CertificateMatch | null>): PrincipalDirectory {
  return new PrincipalDirectory({
    identity: { partition: 'aws', region: 'eu-central-1' },
    principals: Object.entries(matches).map(([name, match]) => ({
      role: 'user',
      name,
      account: '444455556666',
      certificate: match,
      keys: [],
    })),
  });
}

function lookup(match: CertificateMatch, presented: X509Certificate): boolean {
  return directory({ somebody: match }).byCertificate(presented).found;
}

test('a principal has an ARN, an account and a region', () => {
  const found = directory({ app: { kind: 'commonName', value: 'app' } }).byCertificate(
    certificate('/O=Example/CN=app'),
  );
  expect(found).toEqual({
    found: true,
    principal: {
      arn: 'arn:aws:iam::444455556666:user/app',
      name: 'app',
      account: '444455556666',
      region: 'eu-central-1',
    },
  });
});

test('each kind of name is found', () => {
  const presented = certificate(
    '/CN=app',
    'URI:spiffe://example.com/app,DNS:App.Example.com,URI:https://second.example',
  );
  const names = certificateNames(presented);
  expect(names).toMatchObject({
    commonName: 'app',
    uris: ['spiffe://example.com/app', 'https://second.example'],
    dnsNames: ['app.example.com'],
  });
  expect(names.sha256).toMatch(/^[0-9a-f]{64}$/);
  expect(lookup({ kind: 'uri', value: 'https://second.example' }, presented)).toBe(true);
  expect(lookup({ kind: 'dns', value: 'app.example.com' }, presented)).toBe(true);
  expect(lookup({ kind: 'sha256', value: names.sha256 }, presented)).toBe(true);
  expect(lookup({ kind: 'sha256', value: '0'.repeat(64) }, presented)).toBe(false);
});

test('a name of one kind does not match another kind', () => {
  const presented = certificate('/CN=app.example.com', 'URI:app.example.net');
  expect(lookup({ kind: 'dns', value: 'app.example.com' }, presented)).toBe(false);
  expect(lookup({ kind: 'commonName', value: 'app.example.net' }, presented)).toBe(false);
});

test('names match only as a whole', () => {
  expect(lookup({ kind: 'commonName', value: 'app' }, certificate('/CN=app2'))).toBe(false);
  expect(lookup({ kind: 'commonName', value: 'app' }, certificate('/CN=App'))).toBe(false);
  expect(lookup({ kind: 'commonName', value: 'app' }, certificate('/O=app/CN=other'))).toBe(false);
});

test('a subject with two common names matches by neither', () => {
  const presented = certificate('/CN=app/CN=operator');
  expect(certificateNames(presented).commonName).toBeNull();
  expect(lookup({ kind: 'commonName', value: 'operator' }, presented)).toBe(false);
});

test.each([
  ['a comma in a URI', 'URI:https://a.example/\\, DNS:operator.example'],
  ['a quotation mark in a URI', 'URI:https://a.example/"\\, DNS:operator.example'],
])('%s cannot forge another name', (_, alternativeName) => {
  let presented: X509Certificate;
  try {
    presented = certificate('/CN=app', alternativeName.replace('\\,', '%2c'));
  } catch {
    return;
  }
  expect(lookup({ kind: 'dns', value: 'operator.example' }, presented)).toBe(false);
});

test('a certificate that matches two principals maps to none', () => {
  const both = directory({ one: { kind: 'commonName', value: 'app' }, two: { kind: 'dns', value: 'app.example' } });
  expect(both.byCertificate(certificate('/CN=app', 'DNS:app.example'))).toEqual({ found: false, reason: 'ambiguous' });
  expect(both.byCertificate(certificate('/CN=app'))).toMatchObject({ found: true });
  expect(both.byCertificate(certificate('/CN=stranger'))).toEqual({ found: false, reason: 'unknown' });
});

test('a principal without a certificate is found by name alone', () => {
  const local = directory({ local: null });
  expect(local.byName('local')?.arn).toBe('arn:aws:iam::444455556666:user/local');
  expect(local.byName('other')).toBeUndefined();
  expect(local.byCertificate(certificate('/CN=local'))).toEqual({ found: false, reason: 'unknown' });
});
