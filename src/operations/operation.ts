import type { BackupAdministration } from '../backup/ports.js';
import type { Eventual } from '../calls/eventual.js';
import type { RequestContext } from '../calls/request-context.js';
import type { KeysCore } from '../keys/core.js';
import type { KeyRecord } from '../keys/key.js';
import type { KeyStates } from '../keys/key-state.js';
import type { KeyStoreAdministration } from '../keystores/administration.js';
import type { AccessResource } from '../policy/authorizer.js';
import { forAccount, forKey } from './key-resource.js';
import type { ClusterAdministration } from './clusters/cluster-administration.js';
import type { StatusCore } from './service/get-status.js';

/** The ports and services that operations work with. Each uses its part. */
export interface OperationsCore {
  keys: KeysCore;
  keyStores: KeyStoreAdministration;
  status: StatusCore;
  clusters: ClusterAdministration;
  backups: BackupAdministration;
}

/** One decision that must be "allowed" before the operation runs. */
export interface AccessCheck {
  /** AWS's action name, e.g. `kms:Encrypt`. */
  action: string;
  resource: AccessResource;
  /** The encryption context of the operation, if it has one. */
  encryptionContext?: ReadonlyMap<string, string> | undefined;
}

/** A request whose names have been resolved: the authorised key is the one used, whatever happens to an alias meanwhile. */
export interface PreparedRequest {
  accesses: readonly AccessCheck[];
  execute(): Eventual<object>;
}

/** An operation's facts for the dispatcher, the audit log and the policies. */
export interface OperationFacts<Request> {
  /**
   * `control` requests change who may do what, or what exists: their audit records are on disk before the answer goes
   * out.
   */
  plane: 'control' | 'data';
  /** The request fields that the audit record carries. A secret field must never be among them. */
  audited: readonly (keyof Request & string)[];
  /** Names the resource that the request made, from its response: the record of a create must say what was created. */
  created?: (response: object) => string;
  /** The key states that allow it, if it acts on an existing key. */
  keyStates?: KeyStates;
  /**
   * The actions that users may be given, on the keys of their lists or on the account. All others are for
   * administrators.
   */
  userActions?: readonly string[];
}

/** An operation of the API. Its name is its key in `registry.ts`. */
export interface Operation<Request> extends OperationFacts<Request> {
  /**
   * Resolves the names in the request. Throws only errors that every caller may see (a malformed ARN, a broken
   * ciphertext).
   */
  prepare(core: OperationsCore, request: Request, context: RequestContext): Eventual<PreparedRequest>;
}

/** A request with the usual key field. */
export interface Keyed {
  keyId: string;
  /** Present if it encrypts or decrypts. */
  encryptionContext?: ReadonlyMap<string, string>;
}

/**
 * Whether a request may name its key by an alias. A change of a key must name the key itself, not whatever an alias
 * points at.
 */
interface KeyNaming {
  aliasesAllowed: boolean;
}

/** An operation on the key that `key_id` names. */
export function onKey<Request extends Keyed>(
  operation: OperationFacts<Request> &
    KeyNaming & {
      action: string;
      keyStates: KeyStates;
      run: (core: KeysCore, call: { key: KeyRecord; request: Request }, context: RequestContext) => Promise<object>;
    },
): Operation<Request> {
  const { action, aliasesAllowed, run } = operation;
  const naming = { aliasesAllowed };
  return {
    ...operation,
    prepare: ({ keys }, request, context) => {
      const { keyId: identifier, encryptionContext } = request;
      const asked = { action, identifier, naming, encryptionContext };
      return forKey(keys, context, asked, (key) => run(keys, { key, request }, context));
    },
  };
}

/** An operation on the key that `target_key_id` names, by its id or ARN. */
export function onTargetKey<Request extends { targetKeyId: string }>(
  operation: OperationFacts<Request> & {
    action: string;
    keyStates: KeyStates;
    run: (core: KeysCore, call: { key: KeyRecord; request: Request }, context: RequestContext) => Promise<object>;
  },
): Operation<Request> {
  const { action, run } = operation;
  const naming = { aliasesAllowed: false, field: 'target_key_id' };
  return {
    ...operation,
    prepare: ({ keys }, request, context) => {
      const asked = { action, identifier: request.targetKeyId, naming };
      return forKey(keys, context, asked, (key) => run(keys, { key, request }, context));
    },
  };
}

/** An operation without a single resource: it acts on the account. */
export function onAccount<Request extends object>(
  operation: OperationFacts<Request> & {
    action: string;
    run: (core: OperationsCore, call: { request: Request }, context: RequestContext) => Promise<object>;
  },
): Operation<Request> {
  const { action, run } = operation;
  return {
    ...operation,
    prepare: (core, request, context) => forAccount(action, () => run(core, { request }, context)),
  };
}

/** An operation on the custom key store that the request names. Only allowed callers learn that it does not exist. */
export function onKeyStore<Request extends { customKeyStoreId: string }>(
  operation: OperationFacts<Request> & {
    action: string;
    run: (core: KeyStoreAdministration, call: { request: Request }, context: RequestContext) => Promise<object>;
  },
): Operation<Request> {
  const { action, run } = operation;
  return {
    ...operation,
    prepare: ({ keyStores }, request, context) => {
      const resource = { kind: 'custom-key-store', customKeyStoreId: request.customKeyStoreId } as const;
      return { accesses: [{ action, resource }], execute: () => run(keyStores, { request }, context) };
    },
  };
}
