import { type Eventual, whenKnown } from '../../calls/eventual.js';
import type { KeysCore } from '../../keys/core.js';
import { cryptographicUse } from '../../keys/key-state.js';
import type { Keyed, Operation, PreparedRequest } from '../operation.js';
import { type Ciphertext, ciphertextSide } from './ciphertext-access.js';
import type { RequestContext } from '../../calls/request-context.js';
import type { Secret } from '../../secret.js';
import { symmetricDefault } from './algorithm.js';
import type { CiphertextKey } from './ciphertext-key.js';
import type { EncryptionContext } from './encryption-context.js';
import { decryptPrepared, prepareDecryption } from './decryption.js';
import type { CryptographyCore } from './encryption.js';

/** AWS KMS API Reference, Decrypt, without ciphertext and key: `resolveCiphertextKey` has taken them. */
export interface DecryptRequest {
  encryptionContext: EncryptionContext;
  encryptionAlgorithm?: string | undefined;
}

/** AWS KMS API Reference, Decrypt, without the fields for enclaves. */
export interface DecryptResponse {
  /** ARN of the key. */
  keyId: string;
  /** The encoder of the response destroys it. */
  plaintext: Secret;
  encryptionAlgorithm: 'SYMMETRIC_DEFAULT';
  /** Absent for keys of custom key stores, as AWS says. */
  keyMaterialId?: string | undefined;
}

/**
 * Decrypts a ciphertext from `resolveCiphertextKey`, under that key and material and no other.
 * @throws as `prepareDecryption` and `decryptPrepared`.
 */
export async function decrypt(
  core: CryptographyCore,
  call: CiphertextKey & { request: DecryptRequest },
  context: RequestContext,
): Promise<DecryptResponse> {
  const prepared = prepareDecryption(core, call, call.request);
  const decryption = prepared instanceof Promise ? await prepared : prepared;
  const plaintext = await decryptPrepared(decryption, context);
  const { keyId, keyMaterialId } = decryption;
  return { keyId, plaintext, encryptionAlgorithm: symmetricDefault, keyMaterialId };
}

/** Decrypt: the key that the ciphertext names, and the request's if it names one. */
export const decryptOperation: Operation<DecryptCall> = {
  plane: 'data',
  audited: ['keyId', 'encryptionContext', 'encryptionAlgorithm'],
  userActions: ['kms:Decrypt'],
  keyStates: cryptographicUse,
  prepare: ({ keys }, request, context) => prepareDecrypt(keys, request, context),
};

type DecryptCall = DecryptRequest & Ciphertext & Partial<Keyed>;

function prepareDecrypt(core: KeysCore, request: DecryptCall, context: RequestContext): Eventual<PreparedRequest> {
  const { ciphertextBlob, keyId: identifier, encryptionContext } = request;
  const asked = { action: 'kms:Decrypt', ciphertextBlob, identifier, encryptionContext };
  return whenKnown(ciphertextSide(core, asked, context), ({ accesses, resolved }) => ({
    accesses,
    execute: () => whenKnown(resolved(), (found) => decrypt(core, { ...found, request }, context)),
  }));
}
