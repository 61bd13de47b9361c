import type { ConnectionState, StoreRecord } from './store.js';
import type { ConnectionErrorCode } from '../clusters/hsm-cluster.js';

/** The connection of one key store: as the catalog publishes it, and as this process has it. */
export interface StoreConnection {
  /** Null: the default key store, which no row of the catalog describes. */
  store: StoreRecord | null;
  clusterId: string;
  /**
   * For a custom key store the catalog's state, whichever process wrote it; for the default one what this process sees.
   */
  state: ConnectionState;
  /** Why it is FAILED; while it is CONNECTING, why the last attempt of this process failed. */
  errorCode: ConnectionErrorCode | null;
  /** Whether this process has it open. A store that another process has CONNECTED may not be. */
  connected: boolean;
  /** The name of its present PIN in the rows of login attempts (`LoginAttempts`). */
  credentialVersion: string;
}
