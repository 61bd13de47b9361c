import { type Eventual, whenKnown } from '../../calls/eventual.js';
import { HoldfastError } from '../../errors.js';
import { recordArn } from '../../keys/arn.js';
import { visibleMaterialId } from '../../keys/key-metadata.js';
import { cryptographicUse, requireKeyState } from '../../keys/key-state.js';
import { materialReference } from '../../keys/material.js';
import type { HsmCluster, MaterialReference } from '../../clusters/hsm-cluster.js';
import type { HsmCall } from '../../calls/hsm-call.js';
import type { Secret } from '../../secret.js';
import { checkAlgorithm, requireUsage } from './algorithm.js';
import type { CiphertextKey } from './ciphertext-key.js';
import { canonicalContext, type EncryptionContext } from './encryption-context.js';
import { type CiphertextBlob, ciphertextAdditionalData, invalidCiphertext } from './ciphertext-blob.js';
import { type CryptographyCore, headerOf } from './encryption.js';

/** A checked decryption of a ciphertext blob: only the HSM can still refuse it. */
export interface PreparedDecryption {
  cluster: HsmCluster;
  material: MaterialReference;
  blob: CiphertextBlob;
  additionalData: Uint8Array;
  /** ARN of the key. */
  keyId: string;
  /** The material id as responses show it: absent for keys in custom key stores. */
  keyMaterialId: string | undefined;
}

/**
 * The fields of Decrypt, and of the source side of ReEncrypt, that determine whether and how a ciphertext may be
 * decrypted.
 */
export interface DecryptionRequest {
  encryptionContext: EncryptionContext;
  /** The request's field with the context, if it is not `encryption_context`. */
  contextField?: string | undefined;
  encryptionAlgorithm?: string | undefined;
}

/** Prepares the decryption of a ciphertext blob. @throws as `prepareEncryption`. */
export function prepareDecryption(
  core: CryptographyCore,
  source: CiphertextKey,
  request: DecryptionRequest,
): Eventual<PreparedDecryption> {
  const { key, material, blob } = source;
  requireUsage(key, recordArn(core.identity, key), 'ENCRYPT_DECRYPT', 'decryption');
  checkAlgorithm(key, request.encryptionAlgorithm);
  return whenKnown(requireKeyState(core, key, cryptographicUse), () => {
    const context = canonicalContext(request.encryptionContext, request.contextField);
    const keyId = recordArn(core.identity, key);
    return {
      cluster: core.keyStores.clusterOf(key, keyId),
      material: materialReference(material),
      blob,
      // The blob's own header: `ciphertext-key.ts` refuses a blob whose key id is not that of its material's key. Without
      // that check, whoever may use one key could decrypt under another by changing the key id.
      additionalData: ciphertextAdditionalData(headerOf(material), context),
      keyId,
      keyMaterialId: visibleMaterialId(key, material),
    };
  });
}

/**
 * Decrypts. The caller of this function destroys the plaintext.
 * @throws INVALID_CIPHERTEXT in the one wording of `invalidCiphertext`, and the other errors of `HsmCluster`.
 */
export async function decryptPrepared(decryption: PreparedDecryption, call: HsmCall): Promise<Secret> {
  const { cluster, material, blob, additionalData } = decryption;
  try {
    return await cluster.perform('decrypt', { material, encrypted: blob, additionalData }, call);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'INVALID_CIPHERTEXT') throw invalidCiphertext(error);
    throw error;
  }
}
