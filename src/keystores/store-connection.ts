import type { ConnectionState, StoreRecord } from './store.js';
import type { ConnectionErrorCode } from '../clusters/hsm-cluster.js';

/** The connection of one key store: as the catalog publishes it, and as this process has it. */
export interface StoreConnection {
  /** The record of a custom key store; null for the default one, which no row of the catalog describes. */
  store: StoreRecord | null;
  clusterId: string;
  /**
   * The state: of a custom key store as the catalog has it, whichever process wrote it; of the default one as this
   * process sees it.
   */
  state: ConnectionState;
  /** Why it is FAILED; while it is CONNECTING, why the last attempt of this process failed. */
  errorCode: ConnectionErrorCode | null;
  /** Whether this process has it open. A store that another process has CONNECTED may not be. */
  connected: boolean;
  /** The name of its present PIN in the rows of login attempts (`LoginAttempts`). */
  credentialVersion: string;
}
