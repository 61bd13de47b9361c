import { X509Certificate } from 'node:crypto';
import { expect, test } from 'vitest';
import { CertificateAuthority, issueServerCertificate } from './certificates.js';

test('an authority issues, expires and revokes certificates', () => {
  using authority = new CertificateAuthority();
  const issuer = new X509Certificate(authority.certificate);
  const server = new X509Certificate(issueServerCertificate(authority).certificate);
  expect(server.verify(issuer.publicKey)).toBe(true);
  expect(server.subjectAltName).toBe('DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1');

  const old = new X509Certificate(authority.issue({ commonName: 'old', usage: 'client', expired: true }).certificate);
  expect(new Date(old.validTo).getUTCFullYear()).toBe(2020);

  const revoked = authority.issue({ commonName: 'revoked', usage: 'client' });
  authority.revoke(revoked);
  expect(authority.revocationList().toString()).toMatch(/^-----BEGIN X509 CRL-----/);
});
