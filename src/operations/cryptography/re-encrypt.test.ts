import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type KeyDomain, openKeyDomain, scope } from '../../../test/key-domain.js';
import { disableKey } from '../keys/disable-key.js';
import type { KeyRecord } from '../../keys/key.js';
import { Secret } from '../../secret.js';
import { resolveCiphertextKey } from './ciphertext-key.js';
import { decrypt } from './decrypt.js';
import { encrypt } from './encrypt.js';
import { reEncrypt, type ReEncryptRequest } from './re-encrypt.js';

let domain: KeyDomain;
let from: KeyRecord;
let to: KeyRecord;
let blob: Uint8Array;
const sourceEncryptionContext = new Map([['stage', 'old']]);
const destinationEncryptionContext = new Map([['stage', 'new']]);

beforeEach(async () => {
  domain = await openKeyDomain();
  from = await domain.newKey();
  to = await domain.newKey('custom');
  const request = { plaintext: Secret.fromUtf8('a secret'), encryptionContext: sourceEncryptionContext };
  blob = (await encrypt(domain.core, { key: from, request }, domain.context())).ciphertextBlob;
});
afterEach(() => domain.close());

async function run(change: Partial<ReEncryptRequest> = {}, destination = to) {
  const source = await resolveCiphertextKey(domain.core, scope, blob);
  const request = { sourceEncryptionContext, destinationEncryptionContext, ...change };
  return reEncrypt(domain.core, { source, destination: { key: destination }, request }, domain.context());
}
const handedOut = () => domain.defaultCluster.plaintexts;

describe('ReEncrypt', () => {
  it('moves a ciphertext to another key, in another cluster, under another context', async () => {
    const { ciphertextBlob, ...answer } = await run();
    expect(answer).toEqual({
      sourceKeyId: `arn:aws:kms:eu-central-1:111122223333:key/${from.keyId}`,
      keyId: `arn:aws:kms:eu-central-1:111122223333:key/${to.keyId}`,
      sourceEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      destinationEncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      sourceKeyMaterialId: from.currentMaterialId,
      destinationKeyMaterialId: undefined,
    });
    const found = await resolveCiphertextKey(domain.core, scope, ciphertextBlob);
    const request = { encryptionContext: destinationEncryptionContext };
    const { plaintext } = await decrypt(domain.core, { ...found, request }, domain.context());
    expect([found.key, Buffer.from(plaintext.reveal()).toString()]).toEqual([to, 'a secret']);
  });

  it('destroys the intermediate plaintext, even when the second HSM fails', async () => {
    await run();
    domain.customCluster.next('encrypt', () => Promise.reject(new Error('the HSM')));
    await expect(run()).rejects.toThrow('the HSM');
    expect(handedOut()).toHaveLength(2);
    for (const plaintext of handedOut()) expect(() => plaintext.reveal()).toThrow('destroyed');
  });

  it('checks both sides before it asks an HSM', async () => {
    const algorithm = 'RSAES_OAEP_SHA_1';
    await expect(run({ sourceEncryptionAlgorithm: algorithm })).rejects.toMatchObject({ code: 'INVALID_KEY_USAGE' });
    await expect(run({ destinationEncryptionAlgorithm: algorithm })).rejects.toMatchObject({
      code: 'INVALID_KEY_USAGE',
    });
    await expect(run({ destinationEncryptionContext: new Map([['\uD800', '']]) })).rejects.toMatchObject({
      code: 'VALIDATION',
    });
    await disableKey(domain.core, { key: to });
    await expect(run({}, await domain.reread(to))).rejects.toMatchObject({ code: 'DISABLED' });
    await disableKey(domain.core, { key: from });
    await expect(run()).rejects.toMatchObject({ code: 'DISABLED' });
    expect(handedOut()).toEqual([]);
  });

  it('refuses a ciphertext under another context', async () => {
    const wrong = run({ sourceEncryptionContext: destinationEncryptionContext });
    await expect(wrong).rejects.toMatchObject({ code: 'INVALID_CIPHERTEXT' });
    expect(domain.customCluster.calls).toEqual(['generateKeyMaterial']);
  });
});
