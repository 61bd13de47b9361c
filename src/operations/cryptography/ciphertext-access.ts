import { type Eventual, orElse, whenKnown } from '../../calls/eventual.js';
import type { RequestContext } from '../../calls/request-context.js';
import { HoldfastError } from '../../errors.js';
import type { KeysCore } from '../../keys/core.js';
import type { AccessResource } from '../../policy/authorizer.js';
import { keyResource, type NamedKey, resolveForAccess } from '../key-resource.js';
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
  /** Throws or rejects with an error that only an allowed caller may see. */
  resolved: () => Eventual<CiphertextKey>;
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
 * unknown. An answer that depended on whether that is the ciphertext's key, another key or no key would show a user
 * which keys exist.
 */
export function ciphertextSide(
  core: KeysCore,
  { action, ciphertextBlob, identifier, encryptionContext }: CiphertextRequest,
  context: RequestContext,
): Eventual<CiphertextSide> {
  if (ciphertextBlob === undefined) throw missingCiphertext();
  const accessTo: AccessTo = (resource) => ({ action, resource, encryptionContext });
  return whenKnown(keyOfCiphertext(core, accessTo, ciphertextBlob, context), (source): Eventual<CiphertextSide> => {
    if (identifier === undefined) return source;
    const resolved = (keyId: string) => resolveCiphertextKey(core, context.principal, ciphertextBlob, keyId);
    return whenKnown(resolveForAccess(core, context, identifier, { aliasesAllowed: true }), (named) =>
      withNamedKey(core, accessTo, source, named, resolved),
    );
  });
}

type AccessTo = (resource: AccessResource) => AccessCheck;

/** @param resolved finds the ciphertext's key, and refuses any but the one with this id. */
function withNamedKey(
  core: KeysCore,
  accessTo: AccessTo,
  source: CiphertextSide,
  named: NamedKey,
  resolved: (keyId: string) => Eventual<CiphertextKey>,
): Eventual<CiphertextSide> {
  if ('refusal' in named) {
    return {
      accesses: [...source.accesses, accessTo({ kind: 'unknown-key' })],
      resolved: () => Promise.reject(named.refusal),
    };
  }
  return whenKnown(keyResource(core, named.key), (resource) => {
    const others = source.accesses.some((access) => isSameKey(access.resource, resource)) ? [] : [accessTo(resource)];
    return { accesses: [...source.accesses, ...others], resolved: () => resolved(named.key.keyId) };
  });
}

function keyOfCiphertext(
  core: KeysCore,
  accessTo: AccessTo,
  ciphertextBlob: Uint8Array,
  context: RequestContext,
): Eventual<CiphertextSide> {
  return orElse<CiphertextSide, CiphertextSide>(
    () =>
      whenKnown(resolveCiphertextKey(core, context.principal, ciphertextBlob), (found) =>
        whenKnown(keyResource(core, found.key), (resource) => ({
          accesses: [accessTo(resource)],
          resolved: () => found,
        })),
      ),
    (error) => {
      if (!(error instanceof HoldfastError) || error.code !== 'NOT_FOUND') throw error;
      return { accesses: [accessTo({ kind: 'unknown-key' })], resolved: () => Promise.reject(error) };
    },
  );
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
