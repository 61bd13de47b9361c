import type { Principal } from '../calls/principal.js';

/** What is asked for: one action on one resource. */
export interface AccessRequest {
  principal: Principal;
  /** AWS's action name, e.g. `kms:Encrypt`. */
  action: string;
  resource: AccessResource;
}

/** What policies decide about. An operation on several resources asks for each. */
export type AccessResource =
  /** An operation that no single resource belongs to (`*` in AWS policies). */
  | { kind: 'account' }
  /** A key, with the names of all aliases that point at it now. */
  | { kind: 'key'; keyId: string; keyArn: string; aliasNames: readonly string[] }
  /** A key that the request names and that does not exist: only those who may see all keys learn that. */
  | { kind: 'unknown-key' }
  | { kind: 'custom-key-store'; customKeyStoreId: string };

/** The port that decides. Deny is the default. */
export interface Authorizer {
  isAllowed(request: AccessRequest): boolean;
}
