import type { AccessRequest, AccessResource, Authorizer } from './authorizer.js';

/** What a user may do with the keys of its list; everything else is for administrators. */
const userKeyActions: ReadonlySet<string> = new Set([
  'kms:Encrypt',
  'kms:Decrypt',
  'kms:ReEncryptFrom',
  'kms:ReEncryptTo',
  'kms:GenerateDataKey',
  'kms:GenerateDataKeyWithoutPlaintext',
  'kms:DescribeKey',
]);

/** What a user may do that no key belongs to. */
const userAccountActions: ReadonlySet<string> = new Set(['kms:GenerateRandom']);

/** A user of the configuration, with the keys that it may use. Who is in no list may do nothing. */
export interface UserAccess {
  principalArn: string;
  /** Key ids, key ARNs, or alias names with their prefix `alias/`: an alias grants the key that it points at now. */
  keys: readonly string[];
}

/**
 * The first policy: administrators may do everything in their account, users may use the keys that configuration names for
 * them, nobody else may do anything. Full policies and grants will stand behind the same port.
 */
export class AccessList implements Authorizer {
  readonly #administrators: ReadonlySet<string>;
  readonly #keysOfUsers: ReadonlyMap<string, ReadonlySet<string>>;

  constructor(administratorArns: readonly string[], users: readonly UserAccess[]) {
    this.#administrators = new Set(administratorArns);
    this.#keysOfUsers = new Map(users.map((user) => [user.principalArn, new Set(user.keys)]));
  }

  isAllowed({ principal, action, resource }: AccessRequest): boolean {
    if (this.#administrators.has(principal.arn)) return true;
    const keys = this.#keysOfUsers.get(principal.arn);
    return keys !== undefined && isAllowedToUser(keys, action, resource);
  }
}

function isAllowedToUser(keys: ReadonlySet<string>, action: string, resource: AccessResource): boolean {
  if (resource.kind === 'account') return userAccountActions.has(action);
  if (resource.kind !== 'key' || !userKeyActions.has(action)) return false;
  return keys.has(resource.keyId) || keys.has(resource.keyArn) || resource.aliasNames.some((name) => keys.has(name));
}
