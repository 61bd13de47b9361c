import type { AccessRequest, AccessResource, Authorizer, Decision } from './authorizer.js';

const administrator: Decision = {
  allowed: true,
  by: 'role:administrator',
  reason: 'The configuration names the principal as an administrator.',
};
const user: Decision = {
  allowed: true,
  by: 'role:user',
  reason: 'The configuration names the principal as a user of this resource, and users may take this action.',
};
const denied: Decision = {
  allowed: false,
  by: 'default',
  reason: 'Nothing in the configuration allows the principal this action on this resource.',
};

/** A user of the configuration, with the keys that it may use. A principal on no list may do nothing. */
export interface UserAccess {
  principalArn: string;
  /** Key ids, key ARNs, or alias names with their prefix `alias/`: an alias grants the key that it points at now. */
  keys: readonly string[];
}

/**
 * The first policy: administrators may do everything in their account, users may use the keys that the configuration
 * lists for them, and everything else is denied. Full policies and grants will implement the same port.
 */
export class AccessList implements Authorizer {
  readonly #administrators: ReadonlySet<string>;
  readonly #keysOfUsers: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #userActions: ReadonlySet<string>;

  /** @param userActions the actions of users, on the keys of their lists or if no key is concerned */
  constructor(administratorArns: readonly string[], users: readonly UserAccess[], userActions: readonly string[]) {
    this.#userActions = new Set(userActions);
    this.#administrators = new Set(administratorArns);
    this.#keysOfUsers = new Map(users.map((user) => [user.principalArn, new Set(user.keys)]));
  }

  decide({ principal, action, resource }: AccessRequest): Decision {
    if (this.#administrators.has(principal.arn)) return administrator;
    const keys = this.#keysOfUsers.get(principal.arn);
    if (keys === undefined || !this.#userActions.has(action)) return denied;
    return concernsOnly(keys, resource) ? user : denied;
  }
}

function concernsOnly(keys: ReadonlySet<string>, resource: AccessResource): boolean {
  if (resource.kind === 'account') return true;
  if (resource.kind !== 'key') return false;
  return keys.has(resource.keyId) || keys.has(resource.keyArn) || resource.aliasNames.some((name) => keys.has(name));
}
