import { HoldfastError } from '../errors.js';
import type { Identity } from './identity.js';
import type { KeyRecord } from './key.js';
import type { Scope } from '../calls/scope.js';

/** A parsed ARN of this service. */
export interface Arn extends Scope {
  partition: string;
  /** `key` with a key id, or `alias` with a name without its prefix `alias/`. */
  resource: { kind: 'key' | 'alias'; name: string };
}

/** `arn:<partition>:kms:<region>:<account>:key/<id>`. */
export function keyArn(identity: Pick<Identity, 'partition'>, key: Scope & { keyId: string }): string {
  return `${arnPrefix(identity, key)}:key/${key.keyId}`;
}

/**
 * The ARN of a record of the catalog, as one string object for as long as the catalog's cache gives that record: what is
 * looked up or compared by it on every request is found without reading it.
 */
export function recordArn(identity: Pick<Identity, 'partition'>, key: KeyRecord): string {
  const known = recordArns.get(key);
  if (known?.partition === identity.partition) return known.arn;
  const arn = keyArn(identity, key);
  recordArns.set(key, { partition: identity.partition, arn });
  return arn;
}

const recordArns = new WeakMap<KeyRecord, { partition: string; arn: string }>();

/** `arn:<partition>:kms:<region>:<account>:alias/<name>`; `aliasName` has its prefix `alias/` already. */
export function aliasArn(identity: Pick<Identity, 'partition'>, alias: Scope & { aliasName: string }): string {
  return `${arnPrefix(identity, alias)}:${alias.aliasName}`;
}

function arnPrefix(identity: Pick<Identity, 'partition'>, scope: Scope): string {
  return `arn:${identity.partition}:kms:${scope.region}:${scope.account}`;
}

/** Whether a key identifier is meant to be an ARN. */
export function looksLikeArn(identifier: string): boolean {
  return identifier.startsWith('arn:');
}

/**
 * Parses the ARN of a key or an alias (AWS General Reference, "Amazon Resource Names": six parts between colons).
 * Whether the resource exists, or is ours, is not checked.
 * @throws INVALID_ARN for anything else.
 */
export function parseArn(text: string): Arn {
  const [prefix, partition, service, region, account, ...rest] = text.split(':');
  // An alias name may contain colons (`^[a-zA-Z0-9:/_-]+$`); they belong to the resource.
  const resource = /^(key|alias)\/(.+)$/su.exec(rest.join(':'));
  if (prefix !== 'arn' || !partition || service !== 'kms' || !region || !/^\d{12}$/.test(account ?? '')) {
    throw invalidArn(text);
  }
  if (resource === null) throw invalidArn(text);
  return {
    partition,
    region,
    account: account ?? '',
    resource: { kind: resource[1] === 'key' ? 'key' : 'alias', name: resource[2] ?? '' },
  };
}

function invalidArn(text: string): HoldfastError {
  return new HoldfastError('INVALID_ARN', `'${text}' is not a valid ARN of a KMS key or alias.`);
}
