import type { RequestContext } from '../../calls/request-context.js';
import type { Secret } from '../../secret.js';
import { symmetricDefault } from './algorithm.js';
import type { CiphertextKey } from './ciphertext-key.js';
import type { EncryptionContext } from './encryption-context.js';
import { openEnvelope, prepareOpening } from './opening.js';
import type { OperationsCore } from './sealing.js';

/** AWS KMS API Reference, Decrypt. Ciphertext and key are no part of it: `resolveCiphertextKey` has taken them. */
export interface DecryptRequest {
  encryptionContext: EncryptionContext;
  encryptionAlgorithm?: string | undefined;
}

/** AWS KMS API Reference, Decrypt, without the answer to an enclave. */
export interface DecryptResponse {
  /** ARN of the key. */
  keyId: string;
  /** Whoever encodes the response destroys it. */
  plaintext: Secret;
  encryptionAlgorithm: 'SYMMETRIC_DEFAULT';
  /** Absent for keys of custom key stores, as AWS says. */
  keyMaterialId?: string | undefined;
}

/**
 * Decrypts what `resolveCiphertextKey` took apart, under that key and material and no other.
 * @throws as `prepareOpening` and `openEnvelope`.
 */
export async function decrypt(
  core: OperationsCore,
  call: CiphertextKey & { request: DecryptRequest },
  context: RequestContext,
): Promise<DecryptResponse> {
  const opening = await prepareOpening(core, call, { operation: 'Decrypt', ...call.request });
  const plaintext = await openEnvelope(opening, context);
  const { keyId, keyMaterialId } = opening;
  return { keyId, plaintext, encryptionAlgorithm: symmetricDefault, keyMaterialId };
}
