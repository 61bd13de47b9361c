import { HoldfastError } from '../../errors.js';
import type { KeysCore } from '../../keys/core.js';
import { type CiphertextKey, resolveCiphertextKey } from './ciphertext-key.js';
import type { DataKeyRequest } from './data-key.js';
import { type DecryptRequest, decrypt } from './decrypt.js';
import { type EncryptRequest, encrypt } from './encrypt.js';
import { generateDataKey } from './generate-data-key.js';
import { generateDataKeyWithoutPlaintext } from './generate-data-key-without-plaintext.js';
import { type GenerateRandomRequest, generateRandom } from './generate-random.js';
import { type ReEncryptRequest, reEncrypt } from './re-encrypt.js';
import type { AccessResource } from '../../policy/authorizer.js';
import type { AccessCheck, AccessRow, PreparedRequest } from '../access-row.js';
import { forAccount, forKey, keyResource, resolveForAccess, unknownKey } from '../key-resource.js';
import type { RequestContext } from '../../calls/request-context.js';

interface Keyed {
  keyId: string;
}

/** The model does not require a ciphertext (a dry run may ignore it); we have no dry run. */
interface Ciphertext {
  ciphertextBlob?: Uint8Array | undefined;
}

const byIdOrAlias = { aliasesAllowed: true };

/** The rows of `CryptographyService`: none changes what exists, so that none waits for the disk. */
export function cryptographyAccess(core: KeysCore) {
  return {
    Encrypt: {
      plane: 'data',
      audited: ['keyId', 'encryptionContext', 'encryptionAlgorithm'],
      prepare: (request, context) =>
        forKey(core, context, 'kms:Encrypt', request.keyId, byIdOrAlias, (key) =>
          encrypt(core, { key, request }, context),
        ),
    } satisfies AccessRow<EncryptRequest & Keyed>,
    Decrypt: {
      plane: 'data',
      audited: ['keyId', 'encryptionContext', 'encryptionAlgorithm'],
      prepare: (request, context) => prepareDecrypt(core, request, context),
    } satisfies AccessRow<DecryptRequest & Ciphertext & Partial<Keyed>>,
    ReEncrypt: {
      plane: 'data',
      audited: [
        'sourceKeyId',
        'sourceEncryptionContext',
        'sourceEncryptionAlgorithm',
        'destinationKeyId',
        'destinationEncryptionContext',
        'destinationEncryptionAlgorithm',
      ],
      prepare: (request, context) => prepareReEncrypt(core, request, context),
    } satisfies AccessRow<ReEncryptKeys>,
    GenerateDataKey: {
      plane: 'data',
      audited: ['keyId', 'encryptionContext', 'keySpec', 'numberOfBytes'],
      prepare: (request, context) =>
        forKey(core, context, 'kms:GenerateDataKey', request.keyId, byIdOrAlias, (key) =>
          generateDataKey(core, { key, request }, context),
        ),
    } satisfies AccessRow<DataKeyRequest & Keyed>,
    GenerateDataKeyWithoutPlaintext: {
      plane: 'data',
      audited: ['keyId', 'encryptionContext', 'keySpec', 'numberOfBytes'],
      prepare: (request, context) =>
        forKey(core, context, 'kms:GenerateDataKeyWithoutPlaintext', request.keyId, byIdOrAlias, (key) =>
          generateDataKeyWithoutPlaintext(core, { key, request }, context),
        ),
    } satisfies AccessRow<DataKeyRequest & Keyed>,
    GenerateRandom: {
      plane: 'data',
      audited: ['numberOfBytes', 'customKeyStoreId'],
      prepare: (request, context) => prepareRandom(core, request, context),
    } satisfies AccessRow<GenerateRandomRequest>,
  };
}

type ReEncryptKeys = ReEncryptRequest & Ciphertext & { sourceKeyId?: string | undefined; destinationKeyId: string };

/** A ciphertext in a request: what is to be decided, and the key to use once it is allowed. */
interface CiphertextSide {
  accesses: AccessCheck[];
  /** Rejects with what only an allowed caller may learn. */
  resolved(): Promise<CiphertextKey>;
}

async function prepareDecrypt(
  core: KeysCore,
  request: DecryptRequest & Ciphertext & Partial<Keyed>,
  context: RequestContext,
): Promise<PreparedRequest> {
  const source = await ciphertextSide(core, 'kms:Decrypt', request.ciphertextBlob, request.keyId, context);
  return {
    accesses: source.accesses,
    execute: async () => decrypt(core, { ...(await source.resolved()), request }, context),
  };
}

async function prepareReEncrypt(
  core: KeysCore,
  request: ReEncryptKeys,
  context: RequestContext,
): Promise<PreparedRequest> {
  const source = await ciphertextSide(core, 'kms:ReEncryptFrom', request.ciphertextBlob, request.sourceKeyId, context);
  const destination = await resolveForAccess(core, context, request.destinationKeyId, byIdOrAlias);
  const action = 'kms:ReEncryptTo';
  if ('refusal' in destination) {
    return { accesses: [...source.accesses, unknownKey(action)], execute: () => Promise.reject(destination.refusal) };
  }
  return {
    accesses: [...source.accesses, { action, resource: await keyResource(core, destination.key) }],
    execute: async () => reEncrypt(core, { source: await source.resolved(), destination, request }, context),
  };
}

/**
 * The key that a ciphertext names is decided upon, and so is the key that the *request* names where that is another one or
 * none: whether it is the ciphertext's key, another or no key at all would say to a user which keys exist.
 */
async function ciphertextSide(
  core: KeysCore,
  action: string,
  ciphertextBlob: Uint8Array | undefined,
  identifier: string | undefined,
  context: RequestContext,
): Promise<CiphertextSide> {
  if (ciphertextBlob === undefined) throw missingCiphertext();
  const source = await keyOfCiphertext(core, action, ciphertextBlob, context);
  if (identifier === undefined) return source;
  const named = await resolveForAccess(core, context, identifier, byIdOrAlias);
  if ('refusal' in named) {
    return { accesses: [...source.accesses, unknownKey(action)], resolved: () => Promise.reject(named.refusal) };
  }
  const resource = await keyResource(core, named.key);
  const others = source.accesses.some((access) => isSameKey(access.resource, resource)) ? [] : [{ action, resource }];
  const resolved = () => resolveCiphertextKey(core, context.principal, ciphertextBlob, named.key.keyId);
  return { accesses: [...source.accesses, ...others], resolved };
}

async function keyOfCiphertext(
  core: KeysCore,
  action: string,
  ciphertextBlob: Uint8Array,
  context: RequestContext,
): Promise<CiphertextSide> {
  try {
    const found = await resolveCiphertextKey(core, context.principal, ciphertextBlob);
    const access = { action, resource: await keyResource(core, found.key) };
    return { accesses: [access], resolved: () => Promise.resolve(found) };
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'NOT_FOUND') throw error;
    return { accesses: [unknownKey(action)], resolved: () => Promise.reject(error) };
  }
}

function isSameKey(left: AccessResource, right: AccessResource): boolean {
  return left.kind === 'key' && right.kind === 'key' && left.keyId === right.keyId;
}

function prepareRandom(
  core: KeysCore,
  request: GenerateRandomRequest,
  context: RequestContext,
): Promise<PreparedRequest> {
  const execute = () => generateRandom(core, { request }, context);
  const { customKeyStoreId } = request;
  if (customKeyStoreId === undefined) return forAccount('kms:GenerateRandom', execute);
  const resource = { kind: 'custom-key-store', customKeyStoreId } as const;
  return Promise.resolve({ accesses: [{ action: 'kms:GenerateRandom', resource }], execute });
}

function missingCiphertext(): HoldfastError {
  return new HoldfastError(
    'VALIDATION',
    "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null",
    { fieldViolations: [{ field: 'ciphertext_blob', description: 'Member must not be null' }] },
  );
}
