import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CertificateAuthority } from '../../test/certificates.js';
import { MalformedDerError } from './der.js';
import { pemContent, pemRevocationLists } from './pem.js';
import { readRevocationList } from './revocation-list.js';

const asPem = (der: Uint8Array): Buffer =>
  Buffer.from(`-----BEGIN X509 CRL-----\n${Buffer.from(der).toString('base64')}\n-----END X509 CRL-----\n`);

describe('the header of a revocation list', () => {
  using authority = new CertificateAuthority({ name: 'An authority' });
  const list = authority.revocationList();
  const der = pemContent(list);

  test('names issuer and times', () => {
    const { issuer, thisUpdate, nextUpdate } = readRevocationList(list);
    expect(issuer).toBe('CN=An authority');
    expect(Math.abs(Date.now() - thisUpdate.getTime())).toBeLessThan(3_600_000);
    expect((nextUpdate?.getTime() ?? 0) - thisUpdate.getTime()).toBe(30 * 86_400_000);
  });

  test('a file has one list per block', () => {
    const file = Buffer.concat([Buffer.from('# from our authority\n'), list, Buffer.from('\n\n'), list]);
    expect(pemRevocationLists(file)).toHaveLength(2);
    expect(pemRevocationLists(Buffer.from('no list'))).toEqual([]);
  });

  const onlyMalformed = (bytes: Uint8Array): void => {
    try {
      readRevocationList(asPem(bytes));
    } catch (error) {
      expect(error).toBeInstanceOf(MalformedDerError);
    }
  };

  test('is malformed if it is cut anywhere', () => {
    for (let length = 0; length < der.length; length += 1) {
      expect(() => readRevocationList(asPem(der.subarray(0, length)))).toThrow(MalformedDerError);
    }
  });

  test('gives no error but MalformedDerError, whatever the bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), onlyMalformed), { numRuns: 1_000 });
    const damaged = fc.record({ at: fc.nat(der.length - 1), value: fc.nat(255) });
    fc.assert(
      fc.property(damaged, ({ at, value }) => {
        const copy = Buffer.from(der);
        copy[at] = value;
        onlyMalformed(copy);
      }),
      { numRuns: 2_000 },
    );
  });
});
