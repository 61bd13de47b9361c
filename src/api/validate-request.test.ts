import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../errors.js';
import { Secret } from '../secret.js';
import { requestConstraints } from './request-constraints.js';
import { validateRequest } from './validate-request.js';

function refusal(method: keyof typeof requestConstraints, request: Record<string, unknown>): HoldfastError {
  try {
    validateRequest(request, requestConstraints[method]);
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
  throw new Error('The request was accepted.');
}

describe('validateRequest', () => {
  it('accepts what the model allows', () => {
    const request = { keyId: 'k', plaintext: new Secret(new Uint8Array(4096)), encryptionContext: new Map() };
    expect(() => validateRequest(request, requestConstraints.Encrypt)).not.toThrow();
  });

  it("answers in AWS's words, with a violation per broken rule", () => {
    const error = refusal('Encrypt', { keyId: 'k', plaintext: new Secret(new Uint8Array(4097)) });
    expect(error.code).toBe('VALIDATION');
    expect(error.message).toBe(
      "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096",
    );
    expect(error.fieldViolations).toEqual([
      { field: 'plaintext', description: 'Member must have length less than or equal to 4096' },
    ]);
  });

  it('counts a password in characters, as the configuration does, though it is held as bytes', () => {
    const withPassword = (text: string) => ({ customKeyStoreId: 'cks-1', keyStorePassword: Secret.fromUtf8(text) });
    for (const legal of ['пароль7', '🔑'.repeat(255)]) {
      expect(() => validateRequest(withPassword(legal), requestConstraints.UpdateCustomKeyStore)).not.toThrow();
    }
    expect(refusal('UpdateCustomKeyStore', withPassword('ключ🔑1')).message).toContain('than or equal to 7');
    expect(refusal('UpdateCustomKeyStore', withPassword('й'.repeat(256))).message).toContain('than or equal to 255');
  });

  it('shows numbers, as AWS does', () => {
    expect(refusal('GenerateRandom', { numberOfBytes: 0 }).message).toBe(
      "1 validation error detected: Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or equal to 1",
    );
  });

  it('collects all violations, missing fields among them', () => {
    const error = refusal('CreateAlias', { aliasName: 'alias/bad name' });
    expect(error.fieldViolations.map((violation) => violation.field)).toEqual(['alias_name', 'target_key_id']);
    expect(error.message).toContain("Value null at 'targetKeyId'");
  });

  it('names the path of a nested violation', () => {
    const error = refusal('CreateKey', {
      tags: [
        { tagKey: 'a', tagValue: '' },
        { tagKey: '', tagValue: '' },
      ],
    });
    expect(error.fieldViolations[0]?.field).toBe('tags[1].tag_key');
  });

  it('reports at most ten violations of a list, however long it is', () => {
    const tags = Array.from({ length: 500_000 }, () => ({}));
    const error = refusal('CreateKey', { tags });
    expect(error.fieldViolations.length).toBeLessThan(20);
    expect(error.fieldViolations[0]?.field).toBe('tags[0].tag_key');
    const grantTokens = Array.from({ length: 500_000 }, () => '');
    const tooMany = { field: 'grant_tokens', description: 'Member must have length less than or equal to 10' };
    expect(refusal('DescribeKey', { keyId: 'k', grantTokens }).fieldViolations[0]).toEqual(tooMany);
  });

  it('refuses valid fields that are not honoured, by name', () => {
    const error = refusal('CreateKey', { policy: '{}', multiRegion: true, keySpec: 'RSA_2048' });
    expect(error.code).toBe('UNSUPPORTED_OPERATION');
    expect(error.fieldViolations.map((violation) => violation.field)).toEqual(['policy', 'key_spec', 'multi_region']);
  });

  it('accepts an unsupported flag set to its default, and an empty list', () => {
    const request = { keyId: 'k', plaintext: new Secret(new Uint8Array(1)), dryRun: false, grantTokens: [] };
    expect(() => validateRequest(request, requestConstraints.Encrypt)).not.toThrow();
  });

  it('counts code points, not UTF-16 units', () => {
    const name = '\u{1F512}'.repeat(256);
    expect(() => validateRequest({ customKeyStoreName: name }, requestConstraints.CreateCustomKeyStore)).not.toThrow();
  });

  it('never shows a sensitive value', () => {
    const secret = 'SECRET'.repeat(2);
    const error = refusal('CreateCustomKeyStore', {
      customKeyStoreName: 'n',
      xksProxyAuthenticationCredential: { accessKeyId: secret, rawSecretAccessKey: secret },
    });
    expect(JSON.stringify(error.fieldViolations) + error.message).not.toContain(secret);
  });
});
