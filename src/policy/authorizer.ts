import type { Eventual } from '../calls/eventual.js';
import type { Principal } from '../calls/principal.js';

/** The question: may this principal do one action on one resource? */
export interface AccessRequest {
  principal: Principal;
  /** AWS's action name, e.g. `kms:Encrypt`. */
  action: string;
  resource: AccessResource;
  /** The request around the action, for conditions. */
  context: AccessContext;
}

/** The circumstances of a request. */
export interface AccessContext {
  /** The encryption context of the action; absent if there is none. */
  encryptionContext?: ReadonlyMap<string, string> | undefined;
  /** Peer address, or `unix`. */
  sourceAddress: string;
  /** The wire protocol of the request. */
  face: string;
  time: Date;
}

/** Whether it is allowed, what decided, and why. */
export interface Decision {
  allowed: boolean;
  /** The statement, grant or list entry that decided, for the audit record. */
  by: string;
  /** Why it was decided so. It is for the log, never for the caller. */
  reason: string;
}

/** The resource of a decision. An operation on several resources asks for each. */
export type AccessResource =
  /** An operation without a single resource (`*` in AWS policies). */
  | { kind: 'account' }
  /** A key, with the names of all aliases that point at it now. */
  | { kind: 'key'; keyId: string; keyArn: string; aliasNames: readonly string[] }
  /** A key that the request names and that does not exist: only callers who may see all keys learn that. */
  | { kind: 'unknown-key' }
  | { kind: 'custom-key-store'; customKeyStoreId: string };

/** The port that decides. Deny is the default. */
export interface Authorizer {
  /** A decision that needs no waiting is returned without a promise: this is on the path of every request. */
  decide(request: AccessRequest): Eventual<Decision>;
}
