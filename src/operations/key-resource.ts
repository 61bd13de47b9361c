import { HoldfastError } from '../errors.js';
import { maximumAliasesPerKey } from '../keys/alias-rules.js';
import { keyArn } from '../keys/arn.js';
import type { KeysCore } from '../keys/core.js';
import type { AliasRecord, KeyRecord } from '../keys/key.js';
import { type ResolveOptions, resolveKey } from '../keys/resolve-key.js';
import type { AccessResource } from '../policy/authorizer.js';
import type { AccessCheck, PreparedRequest } from './operation.js';
import type { RequestContext } from '../calls/request-context.js';

/** A request on the whole account (`*` in AWS policies). */
export function forAccount(action: string, execute: () => Promise<object>): Promise<PreparedRequest> {
  return Promise.resolve({ accesses: [{ action, resource: { kind: 'account' } }], execute });
}

/** The key that a request names, and the action on it. */
interface KeyRequest {
  action: string;
  identifier: string;
  naming: ResolveOptions;
  encryptionContext?: ReadonlyMap<string, string> | undefined;
}

/** A request on the key that it names. The record that is authorised is the one that the operation gets. */
export async function forKey(
  core: KeysCore,
  context: RequestContext,
  { action, identifier, naming, encryptionContext }: KeyRequest,
  run: (key: KeyRecord) => Promise<object>,
): Promise<PreparedRequest> {
  const found = await resolveForAccess(core, context, identifier, naming);
  if ('refusal' in found) return { accesses: [unknownKey(action)], execute: () => Promise.reject(found.refusal) };
  const resource = await keyResource(core, found.key);
  return { accesses: [{ action, resource, encryptionContext }], execute: () => run(found.key) };
}

/** A key as policies see it: its ARN, and the names of all aliases that point at it now. */
export async function keyResource(core: KeysCore, key: KeyRecord): Promise<AccessResource> {
  const aliases = await core.catalog.listAliases({
    scope: { account: key.account, region: key.region },
    targetKeyId: key.keyId,
    afterAliasName: undefined,
    limit: maximumAliasesPerKey,
  });
  return { kind: 'key', keyId: key.keyId, keyArn: keyArn(core.identity, key), aliasNames: namesOf(aliases) };
}

/** Keyed by list: the catalog's cache returns the same object until something changes. */
const knownNames = new WeakMap<readonly AliasRecord[], readonly string[]>();

function namesOf(aliases: readonly AliasRecord[]): readonly string[] {
  const known = knownNames.get(aliases);
  if (known !== undefined) return known;
  const names = aliases.map((alias) => alias.aliasName);
  knownNames.set(aliases, names);
  return names;
}

/**
 * The access check for a key that does not exist. Callers who may not see all keys are denied in the words for a key
 * that they may not use.
 */
export function unknownKey(action: string): AccessCheck {
  return { action, resource: { kind: 'unknown-key' } };
}

/**
 * The key, or the refusal that only callers who may see all keys get: whether a key exists is not for everyone. A
 * malformed ARN is not secret and throws.
 */
export async function resolveForAccess(
  core: KeysCore,
  context: RequestContext,
  identifier: string,
  options: ResolveOptions,
): Promise<{ key: KeyRecord } | { refusal: HoldfastError }> {
  try {
    return { key: await resolveKey(core, context.principal, identifier, options) };
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'NOT_FOUND') return { refusal: error };
    throw error;
  }
}
