import type { ConnectionErrorCode } from '../clusters/hsm-cluster.js';

/** Which connection an event speaks of; `customKeyStoreId` null is the default key store. */
export interface ConnectionPlace {
  customKeyStoreId: string | null;
  clusterId: string;
}

/** The port for what connections tell the log and the metrics. Nothing in it is secret. */
export interface ConnectionEvents {
  connecting(place: ConnectionPlace): void;
  connected(place: ConnectionPlace): void;
  /** `retryInMs` null: not tried again by itself. `cause` is for the log. */
  connectFailed(
    place: ConnectionPlace,
    failure: { errorCode: ConnectionErrorCode; retryInMs: number | null; cause: unknown },
  ): void;
  /** It is FAILED in the catalog since before this process started: nothing is tried by itself. */
  foundFailed(place: ConnectionPlace, errorCode: ConnectionErrorCode | null): void;
  /** Its end has begun: no caller gets it any more, what is in flight finishes. */
  disconnecting(place: ConnectionPlace): void;
  disconnected(place: ConnectionPlace): void;
  /** The catalog could not be read or written; it is tried again with the next reconciliation. */
  connectionJobFailed(customKeyStoreId: string | null, cause: unknown): void;
}
