import type { RequestContext } from '../../calls/request-context.js';
import { HoldfastError } from '../../errors.js';
import type { KeysCore } from '../../keys/core.js';
import type { AccessResource } from '../../policy/authorizer.js';
import { keyResource, resolveForAccess } from '../key-resource.js';
import type { AccessCheck } from '../operation.js';
import type { EncryptionContext } from './encryption-context.js';
import { type CiphertextKey, resolveCiphertextKey } from './ciphertext-key.js';

/** The model does not require a ciphertext (a dry run may omit it); Holdfast has no dry run. */
export interface Ciphertext {
  ciphertextBlob?: Uint8Array | undefined;
}

/** A ciphertext in a request: the access checks, and the key to use once they pass. */
export interface CiphertextSide {
  accesses: AccessCheck[];
  /** Rejects with an error that only an allowed caller may see. */
  resolved(): Promise<CiphertextKey>;
}

/** A ciphertext in a request, with the request's other fields about it. */
interface CiphertextRequest {
  action: string;
  ciphertextBlob: Uint8Array | undefined;
  /** The key that the request names, if it names one. */
  identifier: string | undefined;
  encryptionContext: EncryptionContext;
}

/**
 * The access checks for the key that a ciphertext names, and for the key that the *request* names if that differs or is
 * unknown. Whether it is the ciphertext's key, another or no key at all would reveal to a user which keys exist.
 */
export async function ciphertextSide(
  core: KeysCore,
  { action, ciphertextBlob, identifier, encryptionContext }: CiphertextRequest,
  context: RequestContext,
): Promise<CiphertextSide> {
  if (ciphertextBlob === undefined) throw missingCiphertext();
  const accessTo = (resource: AccessResource): AccessCheck => ({ action, resource, encryptionContext });
  const source = await keyOfCiphertext(core, accessTo, ciphertextBlob, context);
  if (identifier === undefined) return source;
  const named = await resolveForAccess(core, context, identifier, { aliasesAllowed: true });
  if ('refusal' in named) {
    return {
      accesses: [...source.accesses, accessTo({ kind: 'unknown-key' })],
      resolved: () => Promise.reject(named.refusal),
    };
  }
  const resource = await keyResource(core, named.key);
  const others = source.accesses.some((access) => isSameKey(access.resource, resource)) ? [] : [accessTo(resource)];
  const resolved = () => resolveCiphertextKey(core, context.principal, ciphertextBlob, named.key.keyId);
  return { accesses: [...source.accesses, ...others], resolved };
}

async function keyOfCiphertext(
  core: KeysCore,
  accessTo: (resource: AccessResource) => AccessCheck,
  ciphertextBlob: Uint8Array,
  context: RequestContext,
): Promise<CiphertextSide> {
  try {
    const found = await resolveCiphertextKey(core, context.principal, ciphertextBlob);
    return { accesses: [accessTo(await keyResource(core, found.key))], resolved: () => Promise.resolve(found) };
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'NOT_FOUND') throw error;
    return { accesses: [accessTo({ kind: 'unknown-key' })], resolved: () => Promise.reject(error) };
  }
}

function isSameKey(left: AccessResource, right: AccessResource): boolean {
  return left.kind === 'key' && right.kind === 'key' && left.keyId === right.keyId;
}

function missingCiphertext(): HoldfastError {
  return new HoldfastError(
    'VALIDATION',
    "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null",
    { fieldViolations: [{ field: 'ciphertext_blob', description: 'Member must not be null' }] },
  );
}
