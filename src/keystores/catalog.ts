import type { Eventual } from '../calls/eventual.js';
import type { Scope } from '../calls/scope.js';
import type { ConnectionState, SealedPassword, StoreRecord } from './store.js';
import type { PinRotation } from './pin-rotation.js';
import type { ConnectionErrorCode } from '../clusters/hsm-cluster.js';

/** The port to the durable record of custom key stores. The promises of `keys/catalog.ts` hold here too. */
export interface KeyStoreCatalog {
  /** Inserts, unless a store with this name (in its scope) or this cluster (in any scope) exists, or the scope has `limit` stores. */
  createStore(
    store: StoreRecord,
    limit: number,
  ): Promise<'created' | 'name-in-use' | 'cluster-in-use' | 'limit-exceeded'>;
  findStore(scope: Scope, customKeyStoreId: string): Eventual<StoreRecord | undefined>;
  findStoreByName(scope: Scope, name: string): Promise<StoreRecord | undefined>;
  findStoreByCluster(clusterId: string): Promise<StoreRecord | undefined>;
  /** Stores of a scope in ascending order of id, from the first after `afterStoreId`. */
  listStores(scope: Scope, afterStoreId: string | undefined, limit: number): Promise<StoreRecord[]>;
  /** Stores of all scopes in one of these states: those that a starting process must connect again. */
  listStoresInStates(states: readonly ConnectionState[]): Promise<StoreRecord[]>;
  /** Compare-and-set of the connection state; `errorCode` is stored with it (null unless FAILED). @returns whether `from` held. */
  changeConnectionState(
    customKeyStoreId: string,
    from: readonly ConnectionState[],
    to: ConnectionState,
    errorCode: ConnectionErrorCode | null,
  ): Promise<boolean>;
  /**
   * Changes name, cluster or password if the state is one of `inStates`; a new password raises its version. A store
   * with keys stays on its cluster (`has-keys`): the keys exist on no other.
   */
  updateStore(
    customKeyStoreId: string,
    inStates: readonly ConnectionState[],
    change: StoreChange,
  ): Promise<'updated' | 'not-found' | 'wrong-state' | 'has-keys' | 'name-in-use' | 'cluster-in-use'>;
  /**
   * Replaces the sealed form of a password that stays the same, so its version stays too.
   * @returns false if the store is gone, or has another password or sealed form than `store`: nothing was changed
   */
  resealPassword(
    store: Pick<StoreRecord, 'customKeyStoreId' | 'clusterId' | 'passwordVersion' | 'password'>,
    resealed: SealedPassword,
  ): Promise<boolean>;
  /** Removes a DISCONNECTED store without keys (tombstoned keys do not count). */
  deleteStore(customKeyStoreId: string): Promise<'deleted' | 'not-found' | 'wrong-state' | 'has-keys'>;
}

/** The changes that `updateStore` writes; undefined leaves a property as it is. */
export interface StoreChange {
  name: string | undefined;
  clusterId: string | undefined;
  password: SealedPassword | undefined;
  /**
   * The version that `password` was sealed for. It must be the version after the stored one. If another update came
   * first, it is not, and the answer is `wrong-state`: the sealed password could never be opened.
   */
  passwordVersion?: number | undefined;
  /**
   * The open rotation of the store's PIN when the password was tried, which it ends; left out: there was none. If the catalog
   * has another one, or this one has gone on, the answer is `wrong-state`: members may have a PIN that is nowhere else.
   */
  rotation?: PinRotation | undefined;
}

/**
 * The durable rows that keep a wrong PIN from being tried twice (invariant 7), shared by all processes.
 * `credentialVersion` names a credential without revealing it.
 */
export interface LoginAttempts {
  /**
   * Claims the right to log in with this credential.
   * - `claimed`: go on, then `record` the outcome. Given even after an attempt that succeeded.
   * - `failed`: this credential was refused before; do not try it again.
   * - `in-progress`: a live process that shares no locks with this one has claimed it; do not try it meanwhile.
   * - `interrupted`: an earlier attempt never reported its outcome; `reclaim` if the token's PIN count is not low.
   *
   * To be called while this process holds the lock of the module and that of the credential: then a claimant that shares
   * its locks has ended, or has given up its attempt.
   */
  claim(
    tokenSerialNumber: string,
    credentialVersion: string,
    claimant: Claimant,
    now: Date,
  ): Promise<'claimed' | 'failed' | 'in-progress' | 'interrupted'>;
  /** Like `claim`, but also takes over an interrupted attempt. If several processes ask, only one gets it. */
  reclaim(
    tokenSerialNumber: string,
    credentialVersion: string,
    claimant: Claimant,
    now: Date,
  ): Promise<'claimed' | 'failed' | 'in-progress'>;
  /** Accepts a refusal from any process, however late; other outcomes only from the present claimant. */
  record(
    tokenSerialNumber: string,
    credentialVersion: string,
    claimant: Claimant,
    outcome: 'succeeded' | 'failed' | 'not-tried',
  ): Promise<void>;
  /** The latest attempt with each credential on each token, by serial number, then newest first. For operators. */
  listLoginAttempts(): Promise<LoginAttempt[]>;
  /**
   * Forgets every attempt on a token, so refused credentials are tried once more. That is an operator's decision,
   * because the token counts a wrong PIN again.
   * @returns how many were recorded.
   */
  forgetLoginAttempts(tokenSerialNumber: string): Promise<number>;
}

/** A process that claims a login attempt. */
export interface Claimant {
  /** The name that its `Presence` keeps alive in the catalog. */
  processName: string;
  /** Names the locks that it holds meanwhile: processes of one domain exclude each other by them. */
  lockDomain: string;
}

/** The record of the last attempt with one credential on one token. */
export interface LoginAttempt {
  tokenSerialNumber: string;
  credentialVersion: string;
  /** `open`: under way, or its process ended before it could record the outcome. */
  state: 'open' | 'succeeded' | 'failed';
  /** The date of the claim, or of the outcome once there is one. */
  date: Date;
}

/** Seals passwords for the catalog; the sealed bytes are bound to store and password version. */
export interface PasswordSealer {
  /** The id of the sealing key that `seal` uses. */
  readonly currentKeyId: string;
  seal(password: Uint8Array, binding: string): SealedPassword;
  /** Throws when the sealing key is not configured or the sealed bytes are broken. The caller destroys the result. */
  unseal(sealed: SealedPassword, binding: string): Uint8Array;
  /** A name for a credential that reveals nothing of it without the sealing key (HMAC), for `LoginAttempts`. */
  fingerprint(password: Uint8Array, binding: string): string;
}
