import { cryptographicUse } from '../../keys/key-state.js';
import { type Keyed, onKey } from '../operation.js';
import type { RequestContext } from '../../calls/request-context.js';
import type { KeyRecord } from '../../keys/key.js';
import { type DataKeyRequest, makeDataKey } from './data-key.js';
import type { CryptographyCore } from './sealing.js';

/** AWS KMS API Reference, GenerateDataKeyWithoutPlaintext. The plaintext was destroyed here; Decrypt gives it back. */
export interface GenerateDataKeyWithoutPlaintextResponse {
  ciphertextBlob: Uint8Array;
  /** ARN of the key. */
  keyId: string;
  /** Absent for keys of custom key stores, as AWS says. */
  keyMaterialId?: string | undefined;
}

/** A new data key, encrypted under the key only. @throws as `makeDataKey`. */
export async function generateDataKeyWithoutPlaintext(
  core: CryptographyCore,
  call: { key: KeyRecord; request: DataKeyRequest },
  context: RequestContext,
): Promise<GenerateDataKeyWithoutPlaintextResponse> {
  const { plaintext, ...response } = await makeDataKey(core, call, context);
  plaintext.destroy();
  return response;
}

/** GenerateDataKeyWithoutPlaintext: the key by id or alias. */
export const generateDataKeyWithoutPlaintextOperation = onKey<DataKeyRequest & Keyed>({
  plane: 'data',
  audited: ['keyId', 'encryptionContext', 'keySpec', 'numberOfBytes'],
  action: 'kms:GenerateDataKeyWithoutPlaintext',
  userActions: ['kms:GenerateDataKeyWithoutPlaintext'],
  aliasesAllowed: true,
  keyStates: cryptographicUse,
  run: generateDataKeyWithoutPlaintext,
});
