import type { Principal } from '../calls/principal.js';

/** What is asked for: one action on one resource. */
export interface AccessRequest {
  principal: Principal;
  /** AWS's action name, e.g. `kms:Encrypt`. */
  action: string;
  resource: AccessResource;
  /** What conditions can ask of the request around it. */
  context: AccessContext;
}

/** The circumstances of a request. */
export interface AccessContext {
  /** Of the encryption that the action is about; absent where there is none. */
  encryptionContext?: ReadonlyMap<string, string> | undefined;
  /** Peer address, or `unix`. */
  sourceAddress: string;
  /** Which wire protocol it came in by. */
  face: string;
  time: Date;
}

/** What was decided, by what, and why. */
export interface Decision {
  allowed: boolean;
  /** The statement, grant or list entry that decided, for the audit record. */
  by: string;
  /** For the log, never for the caller. */
  reason: string;
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
  /** A decision that is known without waiting is no promise: this is on the path of every request. */
  decide(request: AccessRequest): Decision | Promise<Decision>;
}
