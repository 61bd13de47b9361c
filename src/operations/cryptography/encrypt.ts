import { cryptographicUse } from '../../keys/key-state.js';
import { type Keyed, onKey } from '../operation.js';
import type { RequestContext } from '../../calls/request-context.js';
import type { KeyRecord } from '../../keys/key.js';
import type { Secret } from '../../secret.js';
import { symmetricDefault } from './algorithm.js';
import { serializeCiphertextBlob } from './ciphertext-blob.js';
import type { EncryptionContext } from './encryption-context.js';
import { type CryptographyCore, prepareEncryption } from './encryption.js';

/** AWS KMS API Reference, Encrypt, without the key: the dispatcher has resolved it. */
export interface EncryptRequest {
  /** 1–4,096 bytes. Destroyed when the call ends. */
  plaintext: Secret;
  encryptionContext: EncryptionContext;
  encryptionAlgorithm?: string | undefined;
}

/** AWS KMS API Reference, Encrypt. The blob is 82 bytes longer than the plaintext (`ciphertext-blob.ts`). */
export interface EncryptResponse {
  ciphertextBlob: Uint8Array;
  /** ARN of the key. */
  keyId: string;
  encryptionAlgorithm: 'SYMMETRIC_DEFAULT';
}

/** Encrypts under the key's current material, in its cluster. @throws as `prepareEncryption` and `HsmCluster.encrypt`. */
export async function encrypt(
  core: CryptographyCore,
  call: { key: KeyRecord; request: EncryptRequest },
  context: RequestContext,
): Promise<EncryptResponse> {
  const { plaintext, encryptionContext, encryptionAlgorithm } = call.request;
  try {
    const prepared = prepareEncryption(core, call.key, { encryptionContext, encryptionAlgorithm });
    const { cluster, material, header, additionalData, keyId } =
      prepared instanceof Promise ? await prepared : prepared;
    const encrypted = await cluster.perform('encrypt', { material, plaintext, additionalData }, context);
    return { ciphertextBlob: serializeCiphertextBlob(header, encrypted), keyId, encryptionAlgorithm: symmetricDefault };
  } finally {
    plaintext.destroy();
  }
}

/** Encrypt: the key by id or alias. */
export const encryptOperation = onKey<EncryptRequest & Keyed>({
  plane: 'data',
  audited: ['keyId', 'encryptionContext', 'encryptionAlgorithm'],
  action: 'kms:Encrypt',
  userActions: ['kms:Encrypt'],
  aliasesAllowed: true,
  keyStates: cryptographicUse,
  run: encrypt,
});
