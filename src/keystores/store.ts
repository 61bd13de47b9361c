import type { ConnectionErrorCode } from '../clusters/hsm-cluster.js';
import type { Scope } from '../calls/scope.js';

/** AWS KMS API Reference, CustomKeyStoresListEntry.ConnectionState. */
export type ConnectionState = 'CONNECTED' | 'CONNECTING' | 'FAILED' | 'DISCONNECTED' | 'DISCONNECTING';

/** A password in the catalog: AES-256-GCM under the sealing key that it names. */
export interface SealedPassword {
  sealingKeyId: string;
  nonce: Uint8Array;
  /** Ciphertext, followed by the 16-byte tag. */
  ciphertext: Uint8Array;
}

/** The catalog's record that ties a cluster and its credential to a set of KMS keys. */
export interface StoreRecord extends Scope {
  customKeyStoreId: string;
  name: string;
  clusterId: string;
  /** PEM, as the caller gave it. */
  trustAnchorCertificate: string;
  password: SealedPassword;
  /** Rises with every password that an operator sets: each gets one login attempt (invariant 7). */
  passwordVersion: number;
  connectionState: ConnectionState;
  /** Set only while the state is FAILED. */
  connectionErrorCode: ConnectionErrorCode | null;
  creationDate: Date;
}
