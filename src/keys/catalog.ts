import type { AliasRecord, IntentRecord, KeyRecord, MaterialRecord, StoredKeyState } from './key.js';
import type { Eventual } from '../calls/eventual.js';
import type { Scope } from '../calls/scope.js';
import type { Lease } from '../coordination/leases.js';
import type { TimeRecord } from './time-record.js';

/**
 * The port to the durable record of keys. Implementations: `storage/`. Every promise that resolves after a write means
 * "committed and synced". Expected outcomes are return values; nothing here throws for them. The reads that are on the path
 * of every request answer without a promise if they know (`storage/read-cache.ts`); they never throw, and reject instead.
 */
export interface KeyCatalog {
  /** Records the material that a create will make. Commits before it resolves. */
  openIntent(intent: IntentRecord): Promise<void>;
  /**
   * In one transaction: inserts key and material and removes their intent, if that is still `open` and, for a key of a
   * custom store, the store still exists and is CONNECTED.
   * @returns false, with nothing changed, otherwise.
   */
  commitKey(key: KeyRecord, material: MaterialRecord): Promise<boolean>;
  /** `open` → `abandoned`. Harmless if there is no such open intent. */
  abandonIntent(materialId: string, abandonedDate: Date): Promise<void>;
  /** Every `open` intent that was opened before `openedBefore` → `abandoned`. @returns how many. */
  abandonIntentsOpenedBefore(openedBefore: Date, abandonedDate: Date): Promise<number>;
  /** Intents in state `abandoned` since before `abandonedBefore`, oldest first. */
  listAbandonedIntents(abandonedBefore: Date, limit: number): Promise<IntentRecord[]>;
  /** `abandoned` → `destroyed`: a tombstone that accounts for material that may still appear. */
  markIntentDestroyed(materialId: string): Promise<void>;
  findIntent(materialId: string): Promise<IntentRecord | undefined>;

  /** Tombstones (`Deleted`) are returned too: the caller decides what they mean. */
  findKey(scope: Scope, keyId: string): Eventual<KeyRecord | undefined>;
  /** Keys that are not `Deleting` or `Deleted`, in ascending order of id, from the first one after `afterKeyId`. */
  listKeys(scope: Scope, afterKeyId: string | undefined, limit: number): Promise<KeyRecord[]>;
  /**
   * Sets the state, and the deletion date and window with it, if the state is one of `from`. @returns whether it did.
   */
  changeKeyState(scope: Scope, keyId: string, from: readonly StoredKeyState[], to: KeyStateChange): Promise<boolean>;
  /** Replaces the description if the state is one of `from`. @returns whether it did. */
  changeKeyDescription(
    scope: Scope,
    keyId: string,
    from: readonly StoredKeyState[],
    description: string,
  ): Promise<boolean>;
  /** Keys of all scopes in `PendingDeletion` with a deletion date at or before `now`, and those left in `Deleting`. */
  listKeysToDelete(now: Date, limit: number): Promise<KeyRecord[]>;
  /**
   * `PendingDeletion` with a deletion date at or before `now` → `Deleting`; date and window stay. The date is part of
   * the comparison: a deletion that was cancelled and scheduled anew meanwhile must not be carried out early. So is the
   * hold on deletions, which another process may just have set.
   * @returns whether it did.
   */
  beginDeletion(scope: Scope, keyId: string, now: Date): Promise<boolean>;
  /** `Deleting` → `Deleted`, its materials destroyed at `destroyedDate`, its aliases removed: one transaction. */
  completeDeletion(scope: Scope, keyId: string, destroyedDate: Date): Promise<void>;
  /** Counts the keys of a store in any state but `Deleted`. */
  countKeysOfStore(customKeyStoreId: string): Promise<number>;

  findMaterial(materialId: string): Eventual<MaterialRecord | undefined>;
  listMaterialsOfKey(keyId: string): Promise<MaterialRecord[]>;
  /**
   * The materials that every member of a cluster should have, in ascending order of id, from the first after
   * `afterMaterialId`: those of all its keys, in all scopes, that are not `Deleting` or `Deleted`.
   */
  listMaterialsOfCluster(
    clusterId: string,
    afterMaterialId: string | undefined,
    limit: number,
  ): Promise<MaterialRecord[]>;
  /** Whether the catalog has the material, and its key is neither `Deleting` nor `Deleted`. Never from a cache. */
  isMaterialKept(materialId: string): Promise<boolean>;
  /**
   * Takes `count` more encryptions under a material out of its budget, for this caller alone (invariant 9). It enforces
   * no upper limit: the caller does.
   * @returns the total ever reserved, including these: the caller owns those from the returned number minus `count`.
   * @throws KMS_INTERNAL for a material that the catalog does not have, or whose destruction it records.
   */
  reserveEncryptions(materialId: string, count: number): Promise<number>;

  /** Inserts, unless the name is in use or the key has `mostPerKey` aliases; counted in the same transaction. */
  createAlias(alias: AliasRecord, mostPerKey: number): Promise<'created' | 'name-in-use' | 'limit-exceeded'>;
  /** Points an alias at another key, unless that key has `mostPerKey` others. */
  updateAlias(
    scope: Scope,
    aliasName: string,
    targetKeyId: string,
    lastUpdatedDate: Date,
    mostPerKey: number,
  ): Promise<'updated' | 'not-found' | 'limit-exceeded'>;
  /** @returns false if there is no such alias. */
  deleteAlias(scope: Scope, aliasName: string): Promise<boolean>;
  findAlias(scope: Scope, aliasName: string): Eventual<AliasRecord | undefined>;
  /**
   * In ascending order of name, from the first after `afterAliasName`; only those of one key if `targetKeyId` is given.
   */
  listAliases(query: AliasQuery): Eventual<AliasRecord[]>;

  /**
   * This catalog for the holder of a lease: a write commits only while the lease is the latest of its name and has not
   * expired. Otherwise it rejects with `LeaseLostError`, and nothing was changed.
   */
  underLease(lease: Lease): KeyCatalog;

  /** The record of time; undefined until the clock has been checked for the first time. */
  findTimeRecord(): Promise<TimeRecord | undefined>;
  /** Reads, changes and writes in one transaction. `change` must be pure: it may run again. */
  changeTimeRecord(
    change: (known: TimeRecord | undefined) => TimeRecord,
  ): Promise<{ before: TimeRecord | undefined; after: TimeRecord }>;
}

/** The fields that `changeKeyState` writes. Date and window are null for every state but PendingDeletion. */
export interface KeyStateChange {
  state: StoredKeyState;
  deletionDate: Date | null;
  pendingDeletionWindowInDays: number | null;
}

/** Selects aliases, and the start of a page; `limit` is the page's maximum. */
export interface AliasQuery {
  scope: Scope;
  targetKeyId: string | undefined;
  afterAliasName: string | undefined;
  limit: number;
}
