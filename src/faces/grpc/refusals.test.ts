import { expect, test } from 'vitest';
import type { Clock } from '../../clock.js';
import { ownReasons, refusalReason } from './refusal-reason.js';
import { type ConnectionRefusal, RefusalReporter } from './refusals.js';

let nowMs = 0;
const clock: Clock = {
  now: () => new Date(nowMs),
  monotonicMs: () => nowMs,
  boot: () => ({ bootId: '', sinceBootMs: 0 }),
  schedule: () => ({ cancel: () => undefined }),
};

test('a flood of refusals is one report every ten seconds, with the count of the others', () => {
  nowMs = 0;
  const reports: ConnectionRefusal[] = [];
  const reporter = new RefusalReporter(clock, (refusal) => reports.push(refusal));
  for (let count = 0; count < 1_000; count += 1) reporter.refused('192.0.2.1', 'first');
  nowMs = 10_000;
  reporter.refused('192.0.2.2', 'second');
  expect(reports).toEqual([
    { sourceAddress: '192.0.2.1', reason: 'first', kind: 'other', unreported: 0 },
    { sourceAddress: '192.0.2.2', reason: 'second', kind: 'other', unreported: 999 },
  ]);
});

test('a flood of one kind hides no other, and each refusal is counted', () => {
  nowMs = 0;
  const reports: ConnectionRefusal[] = [];
  const counts = new Map<string, number>();
  const reporter = new RefusalReporter(
    clock,
    (refusal) => reports.push(refusal),
    (kind) => counts.set(kind, (counts.get(kind) ?? 0) + 1),
  );
  for (let count = 0; count < 500; count += 1) reporter.refused('192.0.2.1', 'ECONNRESET', { isSilent: true });
  reporter.refused('192.0.2.2', 'CERT_REVOKED');
  reporter.refused('192.0.2.3', 'ERR_SSL_UNSUPPORTED_PROTOCOL');
  expect(reports.map(({ kind, unreported }) => [kind, unreported])).toEqual([
    ['silent', 0],
    ['certificate-revoked', 0],
    ['protocol', 0],
  ]);
  expect(Object.fromEntries(counts)).toEqual({ silent: 500, 'certificate-revoked': 1, protocol: 1 });
});

test('every reason has a kind', () => {
  for (const reason of Object.values(ownReasons)) expect(refusalReason(reason)).not.toBe('other');
  const kinds = {
    'CRL_HAS_EXPIRED, UNABLE_TO_GET_CRL, CRL_NOT_YET_VALID, CRL_SIGNATURE_FAILURE': 'revocation-list',
    CERT_HAS_EXPIRED: 'certificate-expired',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY, DEPTH_ZERO_SELF_SIGNED_CERT': 'unknown-authority',
    'INVALID_PURPOSE, INVALID_CA, PATH_LENGTH_EXCEEDED, CERT_UNTRUSTED, CERT_NOT_VERIFIED': 'certificate-not-accepted',
    PEER_DID_NOT_RETURN_A_CERTIFICATE: 'no-certificate',
    'ERR_SSL_HTTP_REQUEST, ERR_SSL_WRONG_VERSION_NUMBER': 'protocol',
    'anything else': 'other',
  };
  for (const [reasons, kind] of Object.entries(kinds)) {
    for (const reason of reasons.split(', ')) expect([reason, refusalReason(reason)]).toEqual([reason, kind]);
  }
});
