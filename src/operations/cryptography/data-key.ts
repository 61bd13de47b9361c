import type { RequestContext } from '../../calls/request-context.js';
import { invalidField } from '../../keys/invalid-field.js';
import type { KeyRecord } from '../../keys/key.js';
import type { Secret } from '../../secret.js';
import type { EncryptionContext } from './encryption-context.js';
import { type CryptographyCore, prepareSealing } from './sealing.js';

/** The fields that GenerateDataKey and GenerateDataKeyWithoutPlaintext share (AWS KMS API Reference). */
export interface DataKeyRequest {
  encryptionContext: EncryptionContext;
  /** Exactly one of `keySpec` and `numberOfBytes` (1–1,024). */
  keySpec?: 'AES_128' | 'AES_256' | undefined;
  numberOfBytes?: number | undefined;
}

/** What both operations are answered from. The ciphertext is an envelope, as of Encrypt. */
export interface DataKey {
  ciphertextBlob: Uint8Array;
  /** The caller of `makeDataKey` passes it on or destroys it. */
  plaintext: Secret;
  /** ARN of the key. */
  keyId: string;
  /** Absent for keys of custom key stores, as AWS says. */
  keyMaterialId: string | undefined;
}

const lengthsBytes = { AES_128: 16, AES_256: 32 } as const;

/**
 * Random bytes made in the token and encrypted there under the key.
 * @throws VALIDATION unless exactly one of the lengths is given; as `prepareSealing` and `HsmCluster.generateDataKey`.
 */
export async function makeDataKey(
  core: CryptographyCore,
  call: { key: KeyRecord; request: DataKeyRequest },
  context: RequestContext,
): Promise<DataKey> {
  const lengthBytes = lengthOf(call.request);
  const sealing = await prepareSealing(core, call.key, {
    encryptionContext: call.request.encryptionContext,
  });
  const { cluster, material, additionalData, keyId, keyMaterialId } = sealing;
  const { plaintext, sealed } = await cluster.perform(
    'generateDataKey',
    { material, lengthBytes, additionalData },
    context,
  );
  try {
    return { ciphertextBlob: sealing.envelope(sealed), plaintext, keyId, keyMaterialId };
  } catch (error) {
    plaintext.destroy();
    throw error;
  }
}

function lengthOf({ keySpec, numberOfBytes }: DataKeyRequest): number {
  if (keySpec !== undefined && numberOfBytes === undefined) return lengthsBytes[keySpec];
  if (keySpec === undefined && numberOfBytes !== undefined) return numberOfBytes;
  throw invalidField('key_spec', 'Please specify either number of bytes or key spec.');
}
