import type { RequestContext } from '../../calls/request-context.js';
import { invalidField } from '../../keys/invalid-field.js';
import type { Secret } from '../../secret.js';
import type { OperationsCore } from './sealing.js';

/** AWS KMS API Reference, GenerateRandom, without the fields of an enclave. */
export interface GenerateRandomRequest {
  /** 1–1,024. Required, although the model's shape does not say so. */
  numberOfBytes?: number | undefined;
  /** Whose cluster makes the bytes; the default key store's when absent. */
  customKeyStoreId?: string | undefined;
}

/** AWS KMS API Reference, GenerateRandom: as many bytes as were asked for. */
export interface GenerateRandomResponse {
  /** Whoever encodes the response destroys it. */
  plaintext: Secret;
}

/** Bytes from a token's random number generator. @throws VALIDATION; as `KeyStores.clusterForRandom` and `HsmCluster.random`. */
export async function generateRandom(
  core: Pick<OperationsCore, 'keyStores'>,
  call: { request: GenerateRandomRequest },
  context: RequestContext,
): Promise<GenerateRandomResponse> {
  const { numberOfBytes, customKeyStoreId } = call.request;
  // The sentence of the live service.
  if (numberOfBytes === undefined) throw invalidField('number_of_bytes', 'NumberOfBytes is required.');
  const cluster = await core.keyStores.clusterForRandom(context.principal, customKeyStoreId);
  return { plaintext: await cluster.random(numberOfBytes, context) };
}
