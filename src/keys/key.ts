/** The records of keys, materials, intents and aliases, as the catalog keeps them. */
import type { Scope } from '../calls/scope.js';
import type { Canary } from '../clusters/hsm-cluster.js';
import type { KeyStateName } from '../errors.js';
import type { KeySpec, KeyUsage } from './key-specs.js';

/** AWS KMS API Reference, KeyMetadata.Origin. AWS_KMS: in the default key store; AWS_CLOUDHSM: in a custom one. */
export type Origin = 'AWS_KMS' | 'AWS_CLOUDHSM';

/**
 * The stored state. `Unavailable` is derived from the key store's connection (see `key-state.ts`). `Deleting`: the
 * deletion date has come and material is being destroyed; entered by compare-and-set, not cancellable. `Deleted`: a
 * tombstone, never listed and never pruned.
 */
export type StoredKeyState = 'Enabled' | 'Disabled' | 'PendingDeletion' | 'Deleting' | 'Deleted';

/** The states of the AWS API that a caller can see (AWS KMS Developer Guide, "Key states"). */
export type KeyState = KeyStateName;

/** The catalog's record of a KMS key. Its id names it within its scope; tags, policy and grants do not exist yet. */
export interface KeyRecord extends Scope {
  keyId: string;
  description: string;
  keyUsage: KeyUsage;
  keySpec: KeySpec;
  origin: Origin;
  /** The custom key store, or null for the default key store. */
  customKeyStoreId: string | null;
  clusterId: string;
  state: StoredKeyState;
  creationDate: Date;
  /** Set while the state is PendingDeletion or later. */
  deletionDate: Date | null;
  pendingDeletionWindowInDays: number | null;
  currentMaterialId: string;
}

/** One generation of the bytes behind a key: an object with this CKA_ID on every member of the cluster. */
export interface MaterialRecord {
  /** 64 lower-case hex digits; the CKA_ID. */
  materialId: string;
  keyId: string;
  clusterId: string;
  /** CKA_LABEL: the key's ARN. */
  label: string;
  extractable: boolean;
  canary: Canary;
  creationDate: Date;
  /** When it was destroyed on the cluster, or null. The record is a tombstone then, and never pruned. */
  destroyedDate: Date | null;
}

/**
 * The plan of a create, committed before the first call to a token (invariant 2). `open` → the key commits and the
 * intent goes with it; `open` → `abandoned` → (after a quarantine) `destroyed`, for ever.
 */
export interface IntentRecord extends Scope {
  materialId: string;
  keyId: string;
  clusterId: string;
  state: 'open' | 'abandoned' | 'destroyed';
  openedDate: Date;
  abandonedDate: Date | null;
}

/** A name for one key of the same scope; it is removed together with that key. */
export interface AliasRecord extends Scope {
  /** The name with its prefix `alias/`. */
  aliasName: string;
  targetKeyId: string;
  creationDate: Date;
  lastUpdatedDate: Date;
}
