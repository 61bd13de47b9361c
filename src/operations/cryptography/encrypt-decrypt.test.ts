import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type KeyDomain, openKeyDomain, scope } from '../../../test/key-domain.js';
import { HoldfastError } from '../../errors.js';
import { disableKey } from '../keys/disable-key.js';
import type { KeyRecord } from '../../keys/key.js';
import { Secret } from '../../secret.js';
import { resolveCiphertextKey } from './ciphertext-key.js';
import { decrypt } from './decrypt.js';
import { encrypt } from './encrypt.js';
import type { EncryptionContext } from './encryption-context.js';
import { encodeHeader, parseCiphertextBlob, serializeCiphertextBlob } from './ciphertext-blob.js';

let domain: KeyDomain;
let key: KeyRecord;
beforeEach(async () => {
  domain = await openKeyDomain();
  key = await domain.newKey();
});
afterEach(() => domain.close());

const noContext: EncryptionContext = new Map();
const arnOf = (of: KeyRecord) => `arn:aws:kms:eu-central-1:111122223333:key/${of.keyId}`;
const secret = (text = 'a secret') => Secret.fromUtf8(text);

async function encryptToBlob(of = key, encryptionContext = noContext, text?: string): Promise<Uint8Array> {
  const request = { plaintext: secret(text), encryptionContext };
  return (await encrypt(domain.core, { key: of, request }, domain.context())).ciphertextBlob;
}
async function decrypted(blob: Uint8Array, encryptionContext = noContext, keyId?: string) {
  const found = await resolveCiphertextKey(domain.core, scope, blob, keyId);
  return decrypt(domain.core, { ...found, request: { encryptionContext } }, domain.context());
}
const isDestroyed = (of: Secret) => {
  try {
    of.reveal();
    return false;
  } catch {
    return true;
  }
};

describe('Encrypt and Decrypt', () => {
  it('answer what AWS answers', async () => {
    const request = { plaintext: secret(), encryptionContext: noContext, encryptionAlgorithm: 'SYMMETRIC_DEFAULT' };
    const { ciphertextBlob, ...rest } = await encrypt(domain.core, { key, request }, domain.context());
    expect(rest).toEqual({ keyId: arnOf(key), encryptionAlgorithm: 'SYMMETRIC_DEFAULT' });
    const { plaintext, ...answer } = await decrypted(ciphertextBlob);
    expect(Buffer.from(plaintext.reveal()).toString()).toBe('a secret');
    expect(answer).toEqual({ ...rest, keyMaterialId: key.currentMaterialId });
  });

  it('hide the material of a key in a custom key store', async () => {
    const custom = await domain.newKey('custom');
    const { keyId, keyMaterialId } = await decrypted(await encryptToBlob(custom));
    expect({ keyId, keyMaterialId }).toEqual({ keyId: arnOf(custom), keyMaterialId: undefined });
  });

  it('bind the ciphertext to its encryption context', async () => {
    const context = new Map([
      ['purpose', 'backup'],
      ['tenant', '1'],
    ]);
    const blob = await encryptToBlob(key, context);
    const { plaintext } = await decrypted(
      blob,
      new Map([
        ['tenant', '1'],
        ['purpose', 'backup'],
      ]),
    );
    expect(plaintext.byteLength).toBe(8);
    const others = [
      [],
      [['purpose', 'backup']],
      [
        ['purpose', 'backup'],
        ['tenant', '2'],
      ],
      [
        ['purpose', 'backup'],
        ['Tenant', '1'],
      ],
    ];
    for (const other of others as [string, string][][]) {
      await expect(decrypted(blob, new Map(other))).rejects.toMatchObject({ code: 'INVALID_CIPHERTEXT' });
    }
  });

  it('refuse every change of any byte, always in the same words', async () => {
    const blob = await encryptToBlob();
    const messages = new Set<string>();
    for (let position = 0; position < blob.length; position += 1) {
      const error: unknown = await decrypted(blob.with(position, (blob[position] ?? 0) ^ 1)).catch(
        (thrown: unknown) => thrown,
      );
      if (!(error instanceof HoldfastError))
        throw new Error(`Byte ${position} did not cause a HoldfastError.`, { cause: error });
      expect([position, error.code]).toEqual([position, 'INVALID_CIPHERTEXT']);
      messages.add(error.message);
    }
    expect(messages.size).toBe(1);
    // Of 98 positions only nonce, ciphertext and tag reach the HSM; changes in the header are refused without it.
    expect(domain.defaultCluster.calls.filter((call) => call === 'decrypt')).toHaveLength(blob.length - 54);
  });

  it('destroy the plaintext of the request, when the HSM fails and when the request fails before it', async () => {
    const given = [secret(), secret(), secret()];
    const call = (plaintext: Secret, of: KeyRecord) =>
      encrypt(domain.core, { key: of, request: { plaintext, encryptionContext: noContext } }, domain.context());
    await call(given[0]!, key);
    domain.defaultCluster.next('encrypt', () => Promise.reject(new Error('the HSM')));
    await expect(call(given[1]!, key)).rejects.toThrow('the HSM');
    await disableKey(domain.core, { key });
    await expect(call(given[2]!, await domain.reread(key))).rejects.toMatchObject({ code: 'DISABLED' });
    expect(given.map(isDestroyed)).toEqual([true, true, true]);
  });

  it('do not destroy the plaintext that they return', async () => {
    const { plaintext } = await decrypted(await encryptToBlob());
    expect(isDestroyed(plaintext)).toBe(false);
  });

  it('refuse an algorithm other than the key’s', async () => {
    const refused = {
      code: 'INVALID_KEY_USAGE',
      message: 'Algorithm RSAES_OAEP_SHA_256 and key spec SYMMETRIC_DEFAULT are incompatible.',
    };
    const request = { encryptionContext: noContext, encryptionAlgorithm: 'RSAES_OAEP_SHA_256' };
    const encryption = encrypt(domain.core, { key, request: { ...request, plaintext: secret() } }, domain.context());
    await expect(encryption).rejects.toMatchObject(refused);
    const found = await resolveCiphertextKey(domain.core, scope, await encryptToBlob());
    await expect(decrypt(domain.core, { ...found, request }, domain.context())).rejects.toMatchObject(refused);
  });

  it('are refused unless the key’s state allows them', async () => {
    const custom = await domain.newKey('custom');
    const [ofDefault, ofCustom] = [await encryptToBlob(), await encryptToBlob(custom)];
    await disableKey(domain.core, { key });
    await domain.keyStores.setConnection('DISCONNECTED');
    const disabled = { code: 'DISABLED', message: `${arnOf(key)} is disabled.` };
    const unavailable = { code: 'KMS_INVALID_STATE', message: `${arnOf(custom)} is unavailable.` };
    await expect(decrypted(ofDefault)).rejects.toMatchObject(disabled);
    await expect(decrypted(ofCustom)).rejects.toMatchObject(unavailable);
    await expect(encryptToBlob(await domain.reread(key))).rejects.toMatchObject(disabled);
    await expect(encryptToBlob(custom)).rejects.toMatchObject(unavailable);
  });

  it('say KEY_UNAVAILABLE while the default key store is not connected', async () => {
    const blob = await encryptToBlob();
    domain.keyStores.disconnected.add(key.clusterId);
    await expect(decrypted(blob)).rejects.toMatchObject({ code: 'KEY_UNAVAILABLE' });
    await expect(encryptToBlob()).rejects.toMatchObject({ code: 'KEY_UNAVAILABLE' });
  });

  it('refuse a context that is too long without any HSM', async () => {
    const context = new Map([['a', 'x'.repeat(9_000)]]);
    await expect(encryptToBlob(key, context)).rejects.toMatchObject({ code: 'VALIDATION' });
    expect(domain.defaultCluster.calls).toEqual(['generateKeyMaterial']);
  });
});

describe('the key of a ciphertext', () => {
  const invalid = { code: 'INVALID_CIPHERTEXT' };
  // Async: a refusal that is thrown at once becomes a rejection here.
  const resolve = async (blob: Uint8Array, keyId?: string, of = scope) =>
    resolveCiphertextKey(domain.core, of, blob, keyId);

  it('is the one that the header names, with its material', async () => {
    const blob = await encryptToBlob();
    const found = await resolve(blob);
    expect(found.key).toEqual(key);
    expect(found.material.materialId).toBe(key.currentMaterialId);
    expect(found.blob).toEqual(parseCiphertextBlob(blob));
    expect((await resolve(blob, key.keyId)).key).toEqual(key);
    expect((await resolve(blob, arnOf(key))).key).toEqual(key);
  });

  it('must be the one that the request names', async () => {
    const other = await domain.newKey();
    const blob = await encryptToBlob();
    await expect(resolve(blob, other.keyId)).rejects.toMatchObject({
      code: 'INCORRECT_KEY',
      message: 'The key ID in the request does not identify a CMK that can perform this operation.',
    });
    await expect(resolve(blob, 'alias/none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('is not found if the header names an unknown key, an unknown material or the material of another key', async () => {
    const other = await domain.newKey();
    const parsed = parseCiphertextBlob(await encryptToBlob());
    for (const change of [
      { keyId: '00000000-0000-4000-8000-000000000000' },
      { keyId: `mrk-${key.keyId.replaceAll('-', '')}` },
      { materialId: 'ab'.repeat(32) },
      { materialId: other.currentMaterialId },
      { keyId: other.keyId },
    ]) {
      const changed = { ...parsed, ...change };
      await expect(resolve(serializeCiphertextBlob(encodeHeader(changed), changed))).rejects.toMatchObject(invalid);
    }
  });

  it('is not found in another account or region', async () => {
    const blob = await encryptToBlob();
    await expect(resolve(blob, undefined, { ...scope, account: '444455556666' })).rejects.toMatchObject(invalid);
    await expect(resolve(blob, undefined, { ...scope, region: 'us-east-1' })).rejects.toMatchObject(invalid);
  });

  it('does not exist any more once its deletion has begun', async () => {
    const blob = await encryptToBlob();
    const gone = { state: 'Deleting', deletionDate: domain.clock.now(), pendingDeletionWindowInDays: 7 } as const;
    await domain.catalog.changeKeyState(scope, key.keyId, ['Enabled'], gone);
    const words = { code: 'NOT_FOUND', message: `Key '${arnOf(key)}' does not exist` };
    await expect(resolve(blob)).rejects.toMatchObject(words);
    await domain.catalog.completeDeletion(scope, key.keyId, domain.clock.now());
    await expect(resolve(blob)).rejects.toMatchObject(words);
  });

  it('is looked up without any HSM, whatever the bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (blob) => {
        await expect(resolve(blob)).rejects.toMatchObject(invalid);
      }),
    );
    expect(domain.defaultCluster.calls).toEqual(['generateKeyMaterial']);
  });
});
