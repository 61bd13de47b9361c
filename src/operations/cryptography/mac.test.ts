import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type KeyDomain, openKeyDomain } from '../../../test/key-domain.js';
import type { KeyRecord } from '../../keys/key.js';
import { Secret } from '../../secret.js';
import { createKey } from '../keys/create-key.js';
import { describeKey } from '../keys/describe-key.js';
import { disableKey } from '../keys/disable-key.js';
import { encrypt } from './encrypt.js';
import { generateMac, verifyMac } from './mac.js';

const hmac = (bits: number) => ({ keySpec: `HMAC_${bits}`, keyUsage: 'GENERATE_VERIFY_MAC' });

let domain: KeyDomain;
let key: KeyRecord;
beforeEach(async () => {
  domain = await openKeyDomain();
  key = await domain.newKey('default', hmac(256));
});
afterEach(() => domain.close());

const arnOf = (of: KeyRecord) => `arn:aws:kms:eu-central-1:111122223333:key/${of.keyId}`;
const generate = (of = key, macAlgorithm = 'HMAC_SHA_256', message = Secret.fromUtf8('a message')) =>
  generateMac(domain.core, { key: of, request: { message, macAlgorithm } }, domain.context());
const verify = (mac: Uint8Array, of = key, macAlgorithm = 'HMAC_SHA_256', text = 'a message') =>
  verifyMac(domain.core, { key: of, request: { message: Secret.fromUtf8(text), macAlgorithm, mac } }, domain.context());

describe('GenerateMac and VerifyMac', () => {
  it.each([224, 256, 384, 512])('answer what AWS answers: HMAC_%i', async (bits) => {
    const of = await domain.newKey('custom', hmac(bits));
    const { mac, ...rest } = await generate(of, `HMAC_SHA_${bits}`);
    expect(mac).toHaveLength(bits / 8);
    expect(rest).toEqual({ macAlgorithm: `HMAC_SHA_${bits}`, keyId: arnOf(of) });
    expect(await verify(mac, of, `HMAC_SHA_${bits}`)).toEqual({ ...rest, macValid: true });
  });

  it('refuse every other MAC, message and key in the same words', async () => {
    const { mac } = await generate();
    const other = await domain.newKey('default', hmac(256));
    const attempts = [
      () => verify(mac.with(0, (mac[0] ?? 0) ^ 1)),
      () => verify(mac.with(31, (mac[31] ?? 0) ^ 1)),
      () => verify(mac.subarray(0, -1)),
      () => verify(Uint8Array.from([...mac, 0])),
      () => verify(mac, key, 'HMAC_SHA_256', 'another message'),
      () => verify(mac, other),
    ];
    for (const attempt of attempts) {
      await expect(attempt()).rejects.toMatchObject({
        code: 'KMS_INVALID_MAC',
        message: 'The MAC is not that of the message under this key.',
        retryable: false,
      });
    }
  });

  it('destroy message and MAC', async () => {
    const message = Secret.fromUtf8('a message');
    const { mac } = await generate(key, 'HMAC_SHA_256', message);
    expect(() => message.reveal()).toThrow();
    await verify(mac);
    await verify(new Uint8Array(32)).catch(() => undefined);
    expect(domain.defaultCluster.plaintexts).toHaveLength(3);
    for (const made of domain.defaultCluster.plaintexts) expect(() => made.reveal()).toThrow();
  });

  it('refuse a key for encryption, and Encrypt refuses a key for MACs', async () => {
    const aes = await domain.newKey();
    await expect(generate(aes)).rejects.toMatchObject({
      code: 'INVALID_KEY_USAGE',
      message: `${arnOf(aes)} key usage is ENCRYPT_DECRYPT which is not valid for MACs.`,
    });
    await expect(verify(new Uint8Array(32), aes)).rejects.toMatchObject({ code: 'INVALID_KEY_USAGE' });
    const request = { plaintext: Secret.fromUtf8('x'), encryptionContext: new Map<string, string>() };
    await expect(encrypt(domain.core, { key, request }, domain.context())).rejects.toMatchObject({
      code: 'INVALID_KEY_USAGE',
      message: `${arnOf(key)} key usage is GENERATE_VERIFY_MAC which is not valid for encryption.`,
    });
    expect(domain.defaultCluster.calls).not.toContain('encrypt');
    expect(domain.defaultCluster.calls).not.toContain('mac');
  });

  it('refuse an algorithm that is not the one of the spec', async () => {
    await expect(generate(key, 'HMAC_SHA_512')).rejects.toMatchObject({
      code: 'INVALID_KEY_USAGE',
      message: 'Algorithm HMAC_SHA_512 and key spec HMAC_256 are incompatible.',
    });
  });

  it('obey the state of the key', async () => {
    await disableKey(domain.core, { key });
    await expect(generate(await domain.reread(key))).rejects.toMatchObject({ code: 'DISABLED' });
  });

  it('never use a key that someone has put in the place of this one', async () => {
    const { mac } = await generate();
    domain.defaultCluster.swapMaterial(key.currentMaterialId);
    await expect(verify(mac)).rejects.toMatchObject({ code: 'KMS_INVALID_STATE' });
  });
});

describe('CreateKey of a key for MACs', () => {
  const create = (request: object) => createKey(domain.core, { request }, domain.context());

  it('shows its spec, usage and algorithm', async () => {
    const { keyMetadata } = await describeKey(domain.core, { key });
    expect(keyMetadata).toMatchObject({
      keySpec: 'HMAC_256',
      customerMasterKeySpec: 'HMAC_256',
      keyUsage: 'GENERATE_VERIFY_MAC',
      macAlgorithms: ['HMAC_SHA_256'],
    });
    expect(keyMetadata).not.toHaveProperty('encryptionAlgorithms');
  });

  it.each([
    [{ keySpec: 'HMAC_256' }, 'You must specify a KeyUsage value'],
    [{ customerMasterKeySpec: 'HMAC_256' }, 'You must specify a KeyUsage value'],
    [{ keySpec: 'HMAC_256', keyUsage: 'ENCRYPT_DECRYPT' }, 'KeyUsage ENCRYPT_DECRYPT is not compatible'],
    [{ keyUsage: 'GENERATE_VERIFY_MAC' }, 'is not compatible with KeySpec SYMMETRIC_DEFAULT'],
  ])('refuses %j', async (request, message) => {
    await expect(create(request)).rejects.toMatchObject({
      code: 'VALIDATION',
      fieldViolations: [{ field: 'key_usage' }],
      message: expect.stringContaining(message) as string,
    });
    expect(domain.defaultCluster.calls.filter((name) => name === 'generateKeyMaterial')).toHaveLength(1);
  });

  it('reads its known answer back from the catalog', async () => {
    const material = await domain.catalog.findMaterial(key.currentMaterialId);
    expect(material?.canary).toEqual({ mac: expect.any(Uint8Array) as Uint8Array });
  });
});
