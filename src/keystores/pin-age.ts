/** The age of key stores' PINs, as the catalog knows it. */

/** Since when a key store has its present PIN. */
export interface PinAge {
  /** The id of a custom key store, or `default`. */
  keyStore: string;
  /** The name of the PIN in the record of login attempts. */
  credentialVersion: string;
  /** When this service first saw it, within a minute; for the first PIN of a custom key store, when that was made. */
  sinceDate: Date;
  /** When the schedule last began to rotate it; null: never. A rotation that succeeds leaves a row of another PIN. */
  attemptDate: Date | null;
}

/** The port to the record of ages. */
export interface PinAgeCatalog {
  listPinAges(): Promise<PinAge[]>;
  /** Replaces what was recorded of this key store. */
  recordPinAge(age: PinAge): Promise<void>;
}

/** The limits that the configuration sets, in milliseconds; null: none. */
export interface PinAgeLimits {
  /** An older PIN is reported. */
  maximumAgeMs: number | null;
  /** An older PIN of a custom key store is rotated by the service. */
  rotateAfterMs: number | null;
}

/** What is shown of one PIN. */
export interface PinAgeStatus {
  sinceDate: Date;
  /** Null: the configuration sets none. */
  maximumAgeMs: number | null;
  /** Whether the schedule began to rotate it and did not succeed. */
  rotationFailed: boolean;
}
