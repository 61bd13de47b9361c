import { cryptographicUse } from '../../keys/key-state.js';
import { type Keyed, onKey } from '../operation.js';
import type { RequestContext } from '../../calls/request-context.js';
import type { KeyRecord } from '../../keys/key.js';
import type { Secret } from '../../secret.js';
import { type DataKeyRequest, makeDataKey } from './data-key.js';
import type { CryptographyCore } from './sealing.js';

/** AWS KMS API Reference, GenerateDataKey, without the answer to an enclave. */
export interface GenerateDataKeyResponse {
  ciphertextBlob: Uint8Array;
  /** Whoever encodes the response destroys it. */
  plaintext: Secret;
  /** ARN of the key. */
  keyId: string;
  /** Absent for keys of custom key stores, as AWS says. */
  keyMaterialId?: string | undefined;
}

/** A new data key, in plain and encrypted under the key. @throws as `makeDataKey`. */
export function generateDataKey(
  core: CryptographyCore,
  call: { key: KeyRecord; request: DataKeyRequest },
  context: RequestContext,
): Promise<GenerateDataKeyResponse> {
  return makeDataKey(core, call, context);
}

/** GenerateDataKey: the key by id or alias. */
export const generateDataKeyOperation = onKey<DataKeyRequest & Keyed>({
  plane: 'data',
  audited: ['keyId', 'encryptionContext', 'keySpec', 'numberOfBytes'],
  action: 'kms:GenerateDataKey',
  userActions: ['kms:GenerateDataKey'],
  aliasesAllowed: true,
  keyStates: cryptographicUse,
  run: generateDataKey,
});
