import { type Eventual, whenKnown } from '../calls/eventual.js';
import { HoldfastError } from '../errors.js';
import { aliasArn, keyArn, looksLikeArn, parseArn } from './arn.js';
import type { KeysCore } from './core.js';
import type { KeyRecord } from './key.js';
import type { Scope } from '../calls/scope.js';
import { aliasNotFound, aliasWhereKeyIdBelongs, invalidKeyId, keyNotFound } from './not-found.js';

/** A UUID, or `mrk-` and 32 hex digits (AWS KMS Developer Guide, "Key identifiers"). Ids are case-sensitive. */
const keyIdPattern = /^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$/;

/** The other ways to name a key that are allowed besides its id and its ARN. */
export interface ResolveOptions {
  /** Alias names and alias ARNs too: DescribeKey and the cryptographic operations only (AWS KMS API Reference, KeyId). */
  aliasesAllowed: boolean;
  /** The request's field with the identifier, for a refusal. Default: `key_id`. */
  field?: string;
}

type ResolveCore = Pick<KeysCore, 'catalog' | 'identity'>;

/**
 * The key that a key id, key ARN, alias name or alias ARN names in a scope. Keys whose deletion has begun do not exist.
 * @throws NOT_FOUND, also for ARNs of another partition, region or account; INVALID_ARN for text that is not a KMS ARN.
 */
export function resolveKey(
  core: ResolveCore,
  scope: Scope,
  identifier: string,
  options: ResolveOptions,
): Eventual<KeyRecord> {
  const name = looksLikeArn(identifier) ? localName(core, scope, identifier) : identifier;
  if (name.startsWith('alias/')) {
    if (!options.aliasesAllowed) throw aliasWhereKeyIdBelongs(identifier, options.field ?? 'key_id');
    return resolveAlias(core, scope, name);
  }
  if (!keyIdPattern.test(name)) throw invalidKeyId(name);
  return findVisibleKey(core, scope, name);
}

/** @throws NOT_FOUND, also for a tombstone. */
export function findVisibleKey(core: ResolveCore, scope: Scope, keyId: string): Eventual<KeyRecord> {
  return whenKnown(core.catalog.findKey(scope, keyId), (key) => {
    if (key === undefined || key.state === 'Deleting' || key.state === 'Deleted') {
      throw keyNotFound(keyArn(core.identity, { ...scope, keyId }));
    }
    return key;
  });
}

function resolveAlias(core: ResolveCore, scope: Scope, aliasName: string): Eventual<KeyRecord> {
  return whenKnown(core.catalog.findAlias(scope, aliasName), (alias) => {
    if (alias === undefined) throw aliasNotFound(aliasArn(core.identity, { ...scope, aliasName }));
    return findVisibleKey(core, scope, alias.targetKeyId);
  });
}

/** The key id, or the alias name with its prefix, of an ARN that belongs to the scope. */
function localName(core: ResolveCore, scope: Scope, identifier: string): string {
  const arn = parseArn(identifier);
  // The live service's answer for a foreign region.
  if (arn.region !== scope.region) throw new HoldfastError('NOT_FOUND', `Invalid arn ${arn.region}`);
  const name = arn.resource.kind === 'alias' ? `alias/${arn.resource.name}` : arn.resource.name;
  if (arn.partition === core.identity.partition && arn.account === scope.account) {
    if (arn.resource.kind === 'key' && !keyIdPattern.test(name)) throw invalidKeyId(name);
    return name;
  }
  throw arn.resource.kind === 'alias' ? aliasNotFound(identifier) : keyNotFound(identifier);
}
