import type { KeysCore } from '../../keys/core.js';
import { forAccount } from '../key-resource.js';
import type { Operation, PreparedRequest } from '../operation.js';
import type { RequestContext } from '../../calls/request-context.js';
import { invalidField } from '../../keys/invalid-field.js';
import type { Secret } from '../../secret.js';
import type { CryptographyCore } from './encryption.js';

/** AWS KMS API Reference, GenerateRandom, without the fields for enclaves. */
export interface GenerateRandomRequest {
  /** 1–1,024. Required, although the model's shape does not say so. */
  numberOfBytes?: number | undefined;
  /** The key store whose cluster makes the bytes; absent means the default key store. */
  customKeyStoreId?: string | undefined;
}

/** AWS KMS API Reference, GenerateRandom: as many bytes as the request asks for. */
export interface GenerateRandomResponse {
  /** The encoder of the response destroys it. */
  plaintext: Secret;
}

/** Bytes from a token's random number generator. @throws VALIDATION; as `KeyStores.clusterForRandom` and `HsmCluster.random`. */
export async function generateRandom(
  core: Pick<CryptographyCore, 'keyStores'>,
  call: { request: GenerateRandomRequest },
  context: RequestContext,
): Promise<GenerateRandomResponse> {
  const { numberOfBytes, customKeyStoreId } = call.request;
  // The live service's wording.
  if (numberOfBytes === undefined) throw invalidField('number_of_bytes', 'NumberOfBytes is required.');
  const found = core.keyStores.clusterForRandom(context.principal, customKeyStoreId);
  const cluster = found instanceof Promise ? await found : found;
  return { plaintext: await cluster.perform('random', { lengthBytes: numberOfBytes }, context) };
}

/** GenerateRandom: in the key store that the request names, or the default one. */
export const generateRandomOperation: Operation<GenerateRandomRequest> = {
  plane: 'data',
  audited: ['numberOfBytes', 'customKeyStoreId'],
  userActions: ['kms:GenerateRandom'],
  prepare: ({ keys }, request, context) => prepareRandom(keys, request, context),
};

function prepareRandom(core: KeysCore, request: GenerateRandomRequest, context: RequestContext): PreparedRequest {
  const execute = () => generateRandom(core, { request }, context);
  const { customKeyStoreId } = request;
  if (customKeyStoreId === undefined) return forAccount('kms:GenerateRandom', execute);
  const resource = { kind: 'custom-key-store', customKeyStoreId } as const;
  return { accesses: [{ action: 'kms:GenerateRandom', resource }], execute };
}
