import { type Eventual, orElse, whenKnown } from '../calls/eventual.js';
import { HoldfastError } from '../errors.js';
import { maximumAliasesPerKey } from '../keys/alias-rules.js';
import { recordArn } from '../keys/arn.js';
import type { KeysCore } from '../keys/core.js';
import type { AliasRecord, KeyRecord } from '../keys/key.js';
import { type ResolveOptions, resolveKey } from '../keys/resolve-key.js';
import type { AccessResource } from '../policy/authorizer.js';
import type { AccessCheck, PreparedRequest } from './operation.js';
import type { RequestContext } from '../calls/request-context.js';

/** A request on the whole account (`*` in AWS policies). */
export function forAccount(action: string, execute: () => Eventual<object>): PreparedRequest {
  return { accesses: [{ action, resource: { kind: 'account' } }], execute };
}

/** The key that a request names, and the action on it. */
interface KeyRequest {
  action: string;
  identifier: string;
  naming: ResolveOptions;
  encryptionContext?: ReadonlyMap<string, string> | undefined;
}

/** A request on the key that it names. The record that is authorised is the one that the operation gets. */
export function forKey(
  core: KeysCore,
  context: RequestContext,
  { action, identifier, naming, encryptionContext }: KeyRequest,
  run: (key: KeyRecord) => Eventual<object>,
): Eventual<PreparedRequest> {
  return whenKnown(resolveForAccess(core, context, identifier, naming), (found): Eventual<PreparedRequest> => {
    if ('refusal' in found) return { accesses: [unknownKey(action)], execute: () => Promise.reject(found.refusal) };
    return whenKnown(keyResource(core, found.key), (resource) => ({
      accesses: [{ action, resource, encryptionContext }],
      execute: () => run(found.key),
    }));
  });
}

/** A key as policies see it: its ARN, and the names of all aliases that point at it now. */
export function keyResource(core: KeysCore, key: KeyRecord): Eventual<AccessResource> {
  const aliases = core.catalog.listAliases({
    scope: key,
    targetKeyId: key.keyId,
    afterAliasName: undefined,
    limit: maximumAliasesPerKey,
  });
  return whenKnown(aliases, (known) => resourceOf(recordArn(core.identity, key), key, known));
}

type KeyResource = Extract<AccessResource, { kind: 'key' }>;

/** Keyed by the list of aliases: the catalog's cache returns the same object until something changes. */
const knownResources = new WeakMap<readonly AliasRecord[], KeyResource>();

function resourceOf(keyArn: string, { keyId }: KeyRecord, aliases: readonly AliasRecord[]): KeyResource {
  const known = knownResources.get(aliases);
  if (known?.keyArn === keyArn) return known;
  const aliasNames = aliases.map((alias) => alias.aliasName);
  const resource: KeyResource = { kind: 'key', keyId, keyArn, aliasNames };
  knownResources.set(aliases, resource);
  return resource;
}

/**
 * The access check for a key that does not exist. Callers who may not see all keys are denied in the same words as for
 * a key that they may not use.
 */
export function unknownKey(action: string): AccessCheck {
  return { action, resource: { kind: 'unknown-key' } };
}

/** A key that a request names, or the refusal that only callers who may see all keys get. */
export type NamedKey = { key: KeyRecord } | { refusal: HoldfastError };

/**
 * Resolves the key that a request names. Not every caller may learn that it does not exist, so that is returned; a
 * malformed ARN is not secret, and throws.
 */
export function resolveForAccess(
  core: KeysCore,
  context: RequestContext,
  identifier: string,
  options: ResolveOptions,
): Eventual<NamedKey> {
  return orElse<NamedKey, NamedKey>(
    () => whenKnown(resolveKey(core, context.principal, identifier, options), (key) => ({ key })),
    refusalOf,
  );
}

/** @throws the error, if every caller may see it */
function refusalOf(error: unknown): NamedKey {
  if (error instanceof HoldfastError && error.code === 'NOT_FOUND') return { refusal: error };
  throw error;
}
