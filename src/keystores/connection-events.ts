import type { ConnectionErrorCode } from '../clusters/hsm-cluster.js';

/** The connection of an event; `customKeyStoreId` null is the default key store. */
export interface ConnectionPlace {
  customKeyStoreId: string | null;
  clusterId: string;
}

/** The port through which connections report to log and metrics. Nothing in it is secret. */
export interface ConnectionEvents {
  connecting(place: ConnectionPlace): void;
  connected(place: ConnectionPlace): void;
  /** `retryInMs` null: no retry without a caller. `cause` is for the log. */
  connectFailed(
    place: ConnectionPlace,
    failure: { errorCode: ConnectionErrorCode; retryInMs: number | null; cause: unknown },
  ): void;
  /** It has been FAILED in the catalog since before this process started: nothing is tried without a caller. */
  foundFailed(place: ConnectionPlace, errorCode: ConnectionErrorCode | null): void;
  /** The connection is closing: no caller gets it any more, and operations in flight finish. */
  disconnecting(place: ConnectionPlace): void;
  disconnected(place: ConnectionPlace): void;
  /** The catalog could not be read or written; the next reconciliation retries. */
  connectionJobFailed(customKeyStoreId: string | null, cause: unknown): void;
}
