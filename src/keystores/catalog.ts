import type { Scope } from '../calls/scope.js';
import type { ConnectionState, SealedPassword, StoreRecord } from './store.js';
import type { ConnectionErrorCode } from '../clusters/hsm-cluster.js';

/** The port to the durable record of custom key stores. The promises of `keys/catalog.ts` hold here too. */
export interface KeyStoreCatalog {
  /** Inserts, unless a store with this name (in its scope) or this cluster (in any scope) exists, or the scope has `limit` stores. */
  createStore(
    store: StoreRecord,
    limit: number,
  ): Promise<'created' | 'name-in-use' | 'cluster-in-use' | 'limit-exceeded'>;
  findStore(scope: Scope, customKeyStoreId: string): Promise<StoreRecord | undefined>;
  findStoreByName(scope: Scope, name: string): Promise<StoreRecord | undefined>;
  findStoreByCluster(clusterId: string): Promise<StoreRecord | undefined>;
  /** In ascending order of id, from the first after `afterStoreId`. */
  listStores(scope: Scope, afterStoreId: string | undefined, limit: number): Promise<StoreRecord[]>;
  /** Stores of all scopes in one of these states: what a starting process has to connect again. */
  listStoresInStates(states: readonly ConnectionState[]): Promise<StoreRecord[]>;
  /** Compare-and-set of the connection state; `errorCode` is stored with it (null unless FAILED). @returns whether `from` held. */
  changeConnectionState(
    customKeyStoreId: string,
    from: readonly ConnectionState[],
    to: ConnectionState,
    errorCode: ConnectionErrorCode | null,
  ): Promise<boolean>;
  /**
   * Changes name, cluster or password if the state is one of `inStates`; a new password raises its version. A store with
   * keys stays on its cluster (`has-keys`): they exist nowhere else.
   */
  updateStore(
    customKeyStoreId: string,
    inStates: readonly ConnectionState[],
    change: StoreChange,
  ): Promise<'updated' | 'not-found' | 'wrong-state' | 'has-keys' | 'name-in-use' | 'cluster-in-use'>;
  /** Removes a DISCONNECTED store without keys (tombstoned keys do not count). */
  deleteStore(customKeyStoreId: string): Promise<'deleted' | 'not-found' | 'wrong-state' | 'has-keys'>;
}

/** What `updateStore` writes; undefined leaves it as it is. */
export interface StoreChange {
  name: string | undefined;
  clusterId: string | undefined;
  password: SealedPassword | undefined;
  /**
   * The version that `password` was sealed for. When it is not the stored one plus one, because another update came
   * first, the answer is `wrong-state`: the seal would never open again.
   */
  passwordVersion?: number | undefined;
}

/**
 * The durable rows that keep a wrong PIN from being tried twice (invariant 7), shared by all processes.
 * `credentialVersion` names a credential without revealing it.
 */
export interface LoginAttempts {
  /**
   * Claims the right to log in with this credential.
   * - `claimed`: go on, then `record` the outcome. Also after an attempt that succeeded.
   * - `failed`: this credential was refused before; do not try it again.
   * - `interrupted`: an earlier attempt never reported its outcome; `reclaim` if the token's PIN count is not low.
   */
  claim(tokenSerialNumber: string, credentialVersion: string, now: Date): Promise<'claimed' | 'failed' | 'interrupted'>;
  /** Takes over an interrupted attempt. */
  reclaim(tokenSerialNumber: string, credentialVersion: string, now: Date): Promise<void>;
  record(
    tokenSerialNumber: string,
    credentialVersion: string,
    outcome: 'succeeded' | 'failed' | 'not-tried',
  ): Promise<void>;
  /** What is recorded of all tokens, by serial number, the latest attempt on each first. For operators. */
  listLoginAttempts(): Promise<LoginAttempt[]>;
  /**
   * Forgets every attempt on a token, so that credentials which it refused are tried once more: an operator's decision,
   * because a wrong PIN then counts at the token again.
   * @returns how many were recorded.
   */
  forgetLoginAttempts(tokenSerialNumber: string): Promise<number>;
}

/** What is remembered of the last attempt with one credential on one token. */
export interface LoginAttempt {
  tokenSerialNumber: string;
  credentialVersion: string;
  /** `open`: under way, or the process that made it ended before it could tell the outcome. */
  state: 'open' | 'succeeded' | 'failed';
  /** Of the claim; of the outcome, once there is one. */
  date: Date;
}

/** Seals passwords for the catalog; the sealed bytes are bound to store and password version. */
export interface PasswordSealer {
  seal(password: Uint8Array, binding: string): SealedPassword;
  /** Throws when the sealing key is not configured or the seal is broken. The caller destroys what it gets. */
  unseal(sealed: SealedPassword, binding: string): Uint8Array;
  /** A name for a credential that reveals nothing of it without the sealing key (HMAC), for `LoginAttempts`. */
  fingerprint(password: Uint8Array, binding: string): string;
}
