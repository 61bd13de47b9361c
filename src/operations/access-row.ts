import type { AccessResource } from '../policy/authorizer.js';
import type { RequestContext } from '../calls/request-context.js';

/** One decision that must be "allowed" before the use case runs. */
export interface AccessCheck {
  /** AWS's action name, e.g. `kms:Encrypt`. */
  action: string;
  resource: AccessResource;
}

/** A request whose names have been resolved: what is authorised is what is used, whatever an alias does meanwhile. */
export interface PreparedRequest {
  accesses: readonly AccessCheck[];
  execute(): Promise<object>;
}

/**
 * A row of the access table.
 *
 * `plane: 'control'` requests change who or what exists: their audit records are on disk before the answer goes out.
 * `audited` names the request fields that the audit record carries; a secret field must never be among them.
 */
export interface AccessRow<Request> {
  plane: 'control' | 'data';
  audited: readonly (keyof Request & string)[];
  /** Names what the request has made, by its response: the record of a create must say of what. */
  created?: (response: object) => string;
  /** Resolves the names in the request. Throws what the caller may always learn (a malformed ARN, a broken ciphertext). */
  prepare(request: Request, context: RequestContext): Promise<PreparedRequest>;
}
