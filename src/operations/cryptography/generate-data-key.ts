/** GenerateDataKey and GenerateDataKeyWithoutPlaintext: one act in the HSM, and two answers. */
import type { RequestContext } from '../../calls/request-context.js';
import { invalidField } from '../../keys/invalid-field.js';
import type { KeyRecord } from '../../keys/key.js';
import { cryptographicUse } from '../../keys/key-state.js';
import type { Secret } from '../../secret.js';
import { type Keyed, onKey } from '../operation.js';
import { serializeCiphertextBlob } from './ciphertext-blob.js';
import type { EncryptionContext } from './encryption-context.js';
import { type CryptographyCore, prepareEncryption } from './encryption.js';

/** The fields of both requests (AWS KMS API Reference), without those of an enclave. */
export interface DataKeyRequest {
  encryptionContext: EncryptionContext;
  /** Exactly one of `keySpec` and `numberOfBytes` (1–1,024). */
  keySpec?: 'AES_128' | 'AES_256' | undefined;
  numberOfBytes?: number | undefined;
}

/** The answer without the plaintext, which Decrypt gives back. */
export interface EncryptedDataKey {
  /** The ciphertext, as Encrypt makes it. */
  ciphertextBlob: Uint8Array;
  /** ARN of the key. */
  keyId: string;
  /** Absent for keys of custom key stores, as AWS says. */
  keyMaterialId?: string | undefined;
}

/** The answer with the plaintext. */
export interface DataKey extends EncryptedDataKey {
  /** The face destroys it once it is encoded. */
  plaintext: Secret;
}

interface DataKeyCall {
  key: KeyRecord;
  request: DataKeyRequest;
}

const lengthsBytes = { AES_128: 16, AES_256: 32 } as const;

/**
 * Makes random bytes in the token, and returns them both in the clear and encrypted there under the key.
 * @throws VALIDATION unless exactly one of the lengths is given; as `prepareEncryption` and `HsmCluster.perform`.
 */
export async function generateDataKey(
  core: CryptographyCore,
  { key, request }: DataKeyCall,
  context: RequestContext,
): Promise<DataKey> {
  const lengthBytes = lengthOf(request);
  const { encryptionContext } = request;
  const prepared = prepareEncryption(core, key, { encryptionContext });
  const encryption = prepared instanceof Promise ? await prepared : prepared;
  const { cluster, material, header, additionalData, keyId, keyMaterialId } = encryption;
  const asked = { material, lengthBytes, additionalData };
  const { plaintext, encrypted } = await cluster.perform('generateDataKey', asked, context);
  try {
    return { ciphertextBlob: serializeCiphertextBlob(header, encrypted), plaintext, keyId, keyMaterialId };
  } catch (error) {
    plaintext.destroy();
    throw error;
  }
}

/** Makes a data key in the same way, and destroys the plaintext here. @throws as `generateDataKey`. */
export async function generateDataKeyWithoutPlaintext(
  core: CryptographyCore,
  call: DataKeyCall,
  context: RequestContext,
): Promise<EncryptedDataKey> {
  const { plaintext, ...response } = await generateDataKey(core, call, context);
  plaintext.destroy();
  return response;
}

function lengthOf({ keySpec, numberOfBytes }: DataKeyRequest): number {
  if (keySpec !== undefined && numberOfBytes === undefined) return lengthsBytes[keySpec];
  if (keySpec === undefined && numberOfBytes !== undefined) return numberOfBytes;
  throw invalidField('key_spec', 'Please specify either number of bytes or key spec.');
}

/** GenerateDataKey: the key by id or alias. */
export const generateDataKeyOperation = dataKeyOperation('kms:GenerateDataKey', generateDataKey);

/** GenerateDataKeyWithoutPlaintext: the key by id or alias. */
export const generateDataKeyWithoutPlaintextOperation = dataKeyOperation(
  'kms:GenerateDataKeyWithoutPlaintext',
  generateDataKeyWithoutPlaintext,
);

function dataKeyOperation(action: string, run: typeof generateDataKeyWithoutPlaintext) {
  return onKey<DataKeyRequest & Keyed>({
    plane: 'data',
    audited: ['keyId', 'encryptionContext', 'keySpec', 'numberOfBytes'],
    action,
    userActions: [action],
    aliasesAllowed: true,
    keyStates: cryptographicUse,
    run,
  });
}
