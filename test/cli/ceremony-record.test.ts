import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { canonicalJson } from '../../src/canonical-json.js';
import { type CeremonyRecord, recordFormat, type SignedRecord } from '../../src/cli/ceremony/record.js';
import { givenSigningKey, newSigningKey, signedText } from '../../src/cli/ceremony/record-signature.js';
import { holdfast } from './session.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-record-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const attack = { attack: 'wrap-under-own-key', held: true, return_value: 'CKR_KEY_NOT_WRAPPABLE', detail: 'refused' };
const record: CeremonyRecord = {
  format: recordFormat,
  holdfast_version: '0.1.0',
  date: '2026-12-01T05:00:00.000Z',
  purpose: 'init',
  cluster: { id: 'cluster-2a3b4c5d6e7', name: 'payments', trust: 'enforced' },
  ceremony: 'so-made',
  generation: 1,
  digest: 'ab'.repeat(32),
  members: [
    {
      name: 'a',
      serial_number: 'bf3ac1d2e4f50617',
      manufacturer: 'SoftHSM project',
      model: 'SoftHSM v2',
      firmware_version: '2.6',
      library: 'SoftHSM: Implementation of PKCS11 2.6',
      profile: 'softhsm',
      carry_key_fingerprint: 'cd'.repeat(32),
      attestation: 'unattested',
    },
  ],
  removed_member: null,
  trust_checks: [{ member: 'a', attacker: 'user', skipped: false, attacks: [attack] }],
};

const pem = { type: 'pkcs8', format: 'pem' } as const;
const publicPem = { type: 'spki', format: 'pem' } as const;

function written(text: string | Buffer, name = 'record.json'): string {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

const verify = (...words: string[]) => holdfast(['cluster', 'verify-record', ...words]);

describe('holdfast cluster verify-record', () => {
  test('accepts a record by its own key, and shows which key that is', async () => {
    const { exitCode, stdout, stderr } = await verify(written(signedText(record, newSigningKey())));
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^The signature is right\. Its key is in the record: compare ([0-9a-f]{4} ){16}with/);
    expect(stdout).toContain('Generation 1 of cluster payments (cluster-2a3b4c5d6e7), by init');
    expect(stdout).toContain('Member a: SoftHSM v2 bf3ac1d2e4f50617, unattested.');
    expect(stdout).toContain('Member a: withstood 1 of 1 attacks as user.');
  });

  test('accepts a record by the given key only', async () => {
    const [mine, other] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')];
    const path = written(signedText(record, givenSigningKey(Buffer.from(mine.privateKey.export(pem)))));
    const keyFile = (key: typeof mine) => written(key.publicKey.export(publicPem), 'key.pem');
    const right = await verify(path, '--public-key', keyFile(mine), '--output', 'json');
    expect(right.exitCode).toBe(0);
    expect(JSON.parse(right.stdout)).toMatchObject({
      valid: true,
      signer: { compared: true },
      record: { signature: { key_origin: 'given' } },
    });
    expect(await verify(path, '--public-key', keyFile(other))).toMatchObject({
      exitCode: 5,
      stderr: expect.stringContaining('is signed by another key than') as string,
    });
  });

  test.each<[string, (signed: SignedRecord) => unknown]>([
    ['the digest', (signed) => (signed.digest = '00'.repeat(32))],
    [
      'a member',
      ({ members: [member] }) => {
        if (member !== undefined) member.name = 'b';
      },
    ],
    ['the outcome of an attack', ({ trust_checks: [check] }) => check?.attacks.pop()],
    ['where its key is from', (signed) => (signed.signature.key_origin = 'given')],
    ['its key', (signed) => (signed.signature.public_key = otherKey())],
  ])('refuses a record if someone changed %s', async (_, change) => {
    const signed = JSON.parse(signedText(record, newSigningKey())) as SignedRecord;
    change(signed);
    const { exitCode, stdout, stderr } = await verify(written(`${canonicalJson(signed)}\n`));
    expect([exitCode, stdout]).toEqual([5, '']);
    expect(stderr).toContain('error: RECORD: the signature of');
  });

  test('refuses another layout of the same record, and a field that is there twice', async () => {
    const text = signedText(record, newSigningKey());
    for (const other of [
      JSON.stringify(JSON.parse(text), null, 2),
      text.replace('{', '{"generation":2,'),
      text.trim(),
    ]) {
      expect(await verify(written(other))).toMatchObject({
        exitCode: 5,
        stderr: expect.stringContaining('was changed: it is not canonical JSON') as string,
      });
    }
  });

  test.each(['', 'null', '{}', 'no JSON', '\0'])('refuses %j as no record', async (text) => {
    const { exitCode, stderr } = await verify(written(text));
    expect([exitCode, stderr]).toEqual([5, expect.stringContaining('is no ceremony record')]);
  });

  test('says which attacks succeeded, and that the generation must not be used', async () => {
    const attacks = [{ ...attack, held: false, return_value: 'CKR_OK', detail: 'wrapped' }];
    const checks = [{ member: 'a', attacker: 'user' as const, skipped: false, attacks }];
    const broken = written(signedText({ ...record, trust_checks: checks }, newSigningKey()));
    const { exitCode, stderr } = await verify(broken);
    expect(exitCode).toBe(5);
    expect(stderr).toContain('error: TRUST: generation 1 must not be used: attacks succeeded');
    expect(stderr).toContain('  a, as user: wrap-under-own-key: wrapped');
    const cluster = { ...record.cluster, trust: 'unenforced' as const };
    const accepted = written(
      signedText({ ...record, cluster, trust_checks: checks }, newSigningKey()),
      'accepted.json',
    );
    expect((await verify(accepted)).exitCode).toBe(0);
  });

  test('reports files that cannot be read or hold no such key', async () => {
    const path = written(signedText(record, newSigningKey()));
    expect((await verify(join(folder, 'none.json'))).exitCode).toBe(4);
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    for (const [content, said] of [
      ['no key', 'contains no public key in PEM'],
      [generateKeyPairSync('ed25519').privateKey.export(pem), 'contains no public key in PEM'],
      [rsa.publicKey.export(publicPem), 'contains a key of type rsa, and a record is signed with Ed25519'],
    ] as const) {
      const { exitCode, stderr } = await verify(path, '--public-key', written(content, 'key.pem'));
      expect([exitCode, stderr]).toEqual([4, expect.stringContaining(said)]);
    }
  });
});

describe('a signing key', () => {
  test.each([
    ['text', 'no key', 'contains no private key'],
    ['a public key', generateKeyPairSync('ed25519').publicKey.export(publicPem), 'contains no private key'],
    [
      'one with a passphrase',
      generateKeyPairSync('ed25519').privateKey.export({ ...pem, cipher: 'aes-256-cbc', passphrase: 'x' }),
      'without a passphrase',
    ],
    ['one of another type', generateKeyPairSync('x25519').privateKey.export(pem), 'contains a key of type x25519'],
  ])('is not %s', (_, content, said) => {
    expect(() => givenSigningKey(Buffer.from(content))).toThrow(said);
  });
});

function otherKey(): string {
  return generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
}
