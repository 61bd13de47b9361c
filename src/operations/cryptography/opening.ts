import { HoldfastError } from '../../errors.js';
import { keyArn } from '../../keys/arn.js';
import { visibleMaterialId } from '../../keys/key-metadata.js';
import { cryptographicUse, requireKeyState } from '../../keys/key-state.js';
import { materialReference } from '../../keys/material.js';
import type { HsmCluster, MaterialReference } from '../../clusters/hsm-cluster.js';
import type { HsmCall } from '../../calls/hsm-call.js';
import type { Secret } from '../../secret.js';
import { checkAlgorithm } from './algorithm.js';
import type { CiphertextKey } from './ciphertext-key.js';
import { canonicalContext, type EncryptionContext } from './encryption-context.js';
import { encodeHeader, type Envelope, envelopeAdditionalData, invalidCiphertext } from './envelope.js';
import type { CryptographyCore } from './sealing.js';

/** A checked decryption of a ciphertext blob: only the HSM can still refuse it. */
export interface Opening {
  cluster: HsmCluster;
  material: MaterialReference;
  envelope: Envelope;
  additionalData: Uint8Array;
  /** ARN of the key. */
  keyId: string;
  /** As responses show it: absent for keys in custom key stores. */
  keyMaterialId: string | undefined;
}

/**
 * The fields of Decrypt, and of the source side of ReEncrypt, that determine whether and how a ciphertext may be
 * decrypted.
 */
export interface OpeningRequest {
  encryptionContext: EncryptionContext;
  /** The request's field with the context, if it is not `encryption_context`. */
  contextField?: string | undefined;
  encryptionAlgorithm?: string | undefined;
}

/** Prepares the decryption of a ciphertext blob. @throws as `prepareSealing`. */
export async function prepareOpening(
  core: CryptographyCore,
  source: CiphertextKey,
  request: OpeningRequest,
): Promise<Opening> {
  const { key, material, envelope } = source;
  checkAlgorithm(key, request.encryptionAlgorithm);
  await requireKeyState(core, key, cryptographicUse);
  const context = canonicalContext(request.encryptionContext, request.contextField);
  const keyId = keyArn(core.identity, key);
  return {
    cluster: core.keyStores.clusterOf(key, keyId),
    material: materialReference(material),
    envelope,
    additionalData: envelopeAdditionalData(encodeHeader(envelope), context),
    keyId,
    keyMaterialId: visibleMaterialId(key, material),
  };
}

/**
 * Decrypts. The caller of this function destroys the plaintext.
 * @throws INVALID_CIPHERTEXT in the one wording of `invalidCiphertext`, and the other errors of `HsmCluster`.
 */
export async function openEnvelope(opening: Opening, call: HsmCall): Promise<Secret> {
  const { cluster, material, envelope, additionalData } = opening;
  try {
    return await cluster.perform('decrypt', { material, sealed: envelope, additionalData }, call);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'INVALID_CIPHERTEXT') throw invalidCiphertext(error);
    throw error;
  }
}
