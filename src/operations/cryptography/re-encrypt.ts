import { type Eventual, whenKnown } from '../../calls/eventual.js';
import type { KeysCore } from '../../keys/core.js';
import { cryptographicUse } from '../../keys/key-state.js';
import { keyResource, type NamedKey, resolveForAccess, unknownKey } from '../key-resource.js';
import type { Operation, PreparedRequest } from '../operation.js';
import { type Ciphertext, type CiphertextSide, ciphertextSide } from './ciphertext-access.js';
import type { RequestContext } from '../../calls/request-context.js';
import type { KeyRecord } from '../../keys/key.js';
import { symmetricDefault } from './algorithm.js';
import type { CiphertextKey } from './ciphertext-key.js';
import { serializeCiphertextBlob } from './ciphertext-blob.js';
import type { EncryptionContext } from './encryption-context.js';
import { decryptPrepared, prepareDecryption } from './decryption.js';
import { type CryptographyCore, prepareEncryption } from './encryption.js';

/** AWS KMS API Reference, ReEncrypt, without ciphertext and keys: the dispatcher has resolved them. */
export interface ReEncryptRequest {
  sourceEncryptionContext: EncryptionContext;
  sourceEncryptionAlgorithm?: string | undefined;
  destinationEncryptionContext: EncryptionContext;
  destinationEncryptionAlgorithm?: string | undefined;
}

/** AWS KMS API Reference, ReEncrypt. It never contains the plaintext. */
export interface ReEncryptResponse {
  ciphertextBlob: Uint8Array;
  /** ARN of the source key. */
  sourceKeyId: string;
  /** ARN of the destination key. */
  keyId: string;
  sourceEncryptionAlgorithm: 'SYMMETRIC_DEFAULT';
  destinationEncryptionAlgorithm: 'SYMMETRIC_DEFAULT';
  /** Absent for keys of custom key stores, as AWS says; so is `destinationKeyMaterialId`. */
  sourceKeyMaterialId?: string | undefined;
  destinationKeyMaterialId?: string | undefined;
}

/**
 * Decrypts under the source key and encrypts under the destination key, which may be in another cluster: the plaintext
 * passes through this process and is destroyed. Both sides are checked before an HSM is asked.
 * @throws as `prepareDecryption`, `prepareEncryption`, `decryptPrepared` and `HsmCluster.encrypt`.
 */
export async function reEncrypt(
  core: CryptographyCore,
  call: { source: CiphertextKey; destination: { key: KeyRecord }; request: ReEncryptRequest },
  context: RequestContext,
): Promise<ReEncryptResponse> {
  const { source, destination, request } = call;
  const decryption = await prepareDecryption(core, source, {
    encryptionContext: request.sourceEncryptionContext,
    contextField: 'source_encryption_context',
    encryptionAlgorithm: request.sourceEncryptionAlgorithm,
  });
  const encryption = await prepareEncryption(core, destination.key, {
    encryptionContext: request.destinationEncryptionContext,
    contextField: 'destination_encryption_context',
    encryptionAlgorithm: request.destinationEncryptionAlgorithm,
  });
  const plaintext = await decryptPrepared(decryption, context);
  try {
    const { cluster, material, header, additionalData } = encryption;
    const encrypted = await cluster.perform('encrypt', { material, plaintext, additionalData }, context);
    return {
      ciphertextBlob: serializeCiphertextBlob(header, encrypted),
      sourceKeyId: decryption.keyId,
      keyId: encryption.keyId,
      sourceEncryptionAlgorithm: symmetricDefault,
      destinationEncryptionAlgorithm: symmetricDefault,
      sourceKeyMaterialId: decryption.keyMaterialId,
      destinationKeyMaterialId: encryption.keyMaterialId,
    };
  } finally {
    plaintext.destroy();
  }
}

/** ReEncrypt: the key that the ciphertext names and the destination key, each with an action of its own. */
export const reEncryptOperation: Operation<ReEncryptCall> = {
  plane: 'data',
  audited: [
    'sourceKeyId',
    'sourceEncryptionContext',
    'sourceEncryptionAlgorithm',
    'destinationKeyId',
    'destinationEncryptionContext',
    'destinationEncryptionAlgorithm',
  ],
  userActions: ['kms:ReEncryptFrom', 'kms:ReEncryptTo'],
  keyStates: cryptographicUse,
  prepare: ({ keys }, request, context) => prepareReEncrypt(keys, request, context),
};

type ReEncryptCall = ReEncryptRequest & Ciphertext & { sourceKeyId?: string | undefined; destinationKeyId: string };

function prepareReEncrypt(core: KeysCore, request: ReEncryptCall, context: RequestContext): Eventual<PreparedRequest> {
  const { ciphertextBlob, sourceKeyId: identifier, sourceEncryptionContext: encryptionContext } = request;
  const asked = { action: 'kms:ReEncryptFrom', ciphertextBlob, identifier, encryptionContext };
  return whenKnown(ciphertextSide(core, asked, context), (source) =>
    whenKnown(resolveForAccess(core, context, request.destinationKeyId, { aliasesAllowed: true }), (destination) =>
      withDestination(core, source, destination, request, context),
    ),
  );
}

function withDestination(
  core: KeysCore,
  { accesses, resolved }: CiphertextSide,
  destination: NamedKey,
  request: ReEncryptCall,
  context: RequestContext,
): Eventual<PreparedRequest> {
  const action = 'kms:ReEncryptTo';
  if ('refusal' in destination) {
    return { accesses: [...accesses, unknownKey(action)], execute: () => Promise.reject(destination.refusal) };
  }
  const { destinationEncryptionContext: encryptionContext } = request;
  return whenKnown(keyResource(core, destination.key), (resource) => ({
    accesses: [...accesses, { action, resource, encryptionContext }],
    execute: () => whenKnown(resolved(), (source) => reEncrypt(core, { source, destination, request }, context)),
  }));
}
