import type { ClusterResult } from '../../clusters/hsm-cluster.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { customKeyStoreId, type KeyDomain, openKeyDomain, scope } from '../../../test/key-domain.js';
import type { KeyRecord } from '../../keys/key.js';
import { resolveCiphertextKey } from './ciphertext-key.js';
import { decrypt } from './decrypt.js';
import { type DataKeyRequest, generateDataKey, generateDataKeyWithoutPlaintext } from './generate-data-key.js';
import { generateRandom, type GenerateRandomRequest } from './generate-random.js';

let domain: KeyDomain;
let key: KeyRecord;
beforeEach(async () => {
  domain = await openKeyDomain();
  key = await domain.newKey();
});
afterEach(() => domain.close());

const encryptionContext = new Map([['purpose', 'disk']]);
type Lengths = Omit<DataKeyRequest, 'encryptionContext'>;
const generate = (lengths: Lengths, of = key) =>
  generateDataKey(domain.core, { key: of, request: { encryptionContext, ...lengths } }, domain.context());
const generateWithout = (lengths: Lengths, of = key) =>
  generateDataKeyWithoutPlaintext(
    domain.core,
    { key: of, request: { encryptionContext, ...lengths } },
    domain.context(),
  );
async function opened(blob: Uint8Array): Promise<Buffer> {
  const found = await resolveCiphertextKey(domain.core, scope, blob);
  const { plaintext } = await decrypt(domain.core, { ...found, request: { encryptionContext } }, domain.context());
  return Buffer.from(plaintext.reveal());
}

describe('GenerateDataKey', () => {
  it.each([
    [{ keySpec: 'AES_128' }, 16],
    [{ keySpec: 'AES_256' }, 32],
    [{ numberOfBytes: 1 }, 1],
    [{ numberOfBytes: 1024 }, 1024],
  ] as [Lengths, number][])('makes keys as long as asked: %j', async (lengths, lengthBytes) => {
    const { plaintext, ciphertextBlob, keyId, keyMaterialId } = await generate(lengths);
    expect(plaintext.byteLength).toBe(lengthBytes);
    expect(keyId).toBe(`arn:aws:kms:eu-central-1:111122223333:key/${key.keyId}`);
    expect(keyMaterialId).toBe(key.currentMaterialId);
    expect(await opened(ciphertextBlob)).toEqual(Buffer.from(plaintext.reveal()));
  });

  it.each([{}, { keySpec: 'AES_256', numberOfBytes: 32 }] as Lengths[])(
    'requires exactly one of the lengths: %j',
    async (lengths) => {
      const refused = { code: 'VALIDATION', message: 'Please specify either number of bytes or key spec.' };
      await expect(generate(lengths)).rejects.toMatchObject(refused);
      await expect(generateWithout(lengths)).rejects.toMatchObject(refused);
      expect(domain.defaultCluster.calls).toEqual(['generateKeyMaterial']);
    },
  );

  it('hides the material of a key in a custom key store', async () => {
    const custom = await domain.newKey('custom');
    expect((await generate({ keySpec: 'AES_256' }, custom)).keyMaterialId).toBeUndefined();
    expect((await generateWithout({ keySpec: 'AES_256' }, custom)).keyMaterialId).toBeUndefined();
  });

  it('destroys the plaintext when it cannot answer', async () => {
    const { defaultCluster } = domain;
    const original = defaultCluster.perform.bind(defaultCluster);
    defaultCluster.perform = async (operation, request, call) => {
      const result = await original(operation, request, call);
      if (operation === 'generateDataKey') {
        (result as ClusterResult<'generateDataKey'>).encrypted.nonce = new Uint8Array(16);
      }
      return result;
    };
    await expect(generate({ keySpec: 'AES_256' })).rejects.toThrow('nonce of 16 bytes');
    expect(() => domain.defaultCluster.plaintexts.at(-1)?.reveal()).toThrow('destroyed');
  });
});

describe('GenerateDataKeyWithoutPlaintext', () => {
  it('destroys the plaintext and does not return it', async () => {
    const answer = await generateWithout({ keySpec: 'AES_256' });
    expect(Object.keys(answer).sort()).toEqual(['ciphertextBlob', 'keyId', 'keyMaterialId']);
    expect(() => domain.defaultCluster.plaintexts[0]?.reveal()).toThrow('destroyed');
    expect(await opened(answer.ciphertextBlob)).toHaveLength(32);
  });
});

describe('GenerateRandom', () => {
  const random = (request: GenerateRandomRequest) => generateRandom(domain.core, { request }, domain.context());

  it('takes bytes from the default key store or from a custom one', async () => {
    expect((await random({ numberOfBytes: 1024 })).plaintext.byteLength).toBe(1024);
    expect((await random({ numberOfBytes: 1, customKeyStoreId })).plaintext.byteLength).toBe(1);
    expect([domain.defaultCluster.calls.at(-1), domain.customCluster.calls]).toEqual(['random', ['random']]);
  });

  it('requires the number of bytes', async () => {
    await expect(random({})).rejects.toMatchObject({ code: 'VALIDATION', message: 'NumberOfBytes is required.' });
  });

  it('refuses a store that does not exist', async () => {
    await expect(random({ numberOfBytes: 8, customKeyStoreId: 'cks-none' })).rejects.toMatchObject({
      code: 'CUSTOM_KEY_STORE_NOT_FOUND',
    });
  });
});
