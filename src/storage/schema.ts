import type { RawBuilder } from 'kysely';
import type { BackupRecord } from '../backup/backup-record.js';
import type { Origin, StoredKeyState } from '../keys/key.js';
import type { KeySpec, KeyUsage } from '../keys/key-specs.js';
import type { HoldReason } from '../keys/time-record.js';
import type { PinPhase } from '../keystores/pin-rotation.js';
import type { ConnectionState } from '../keystores/store.js';
import type { ConnectionErrorCode } from '../clusters/hsm-cluster.js';

/**
 * The catalog's tables as kysely sees them, the same on every database. Dates are milliseconds since the epoch (int8),
 * flags are 0 or 1, bytes are blob or bytea. Rows of a tenant carry its account and region.
 */
export interface CatalogSchema {
  catalog_metadata: CatalogMetadataRow;
  keys: KeyRow;
  materials: MaterialRow;
  intents: IntentRow;
  aliases: AliasRow;
  custom_key_stores: StoreRow;
  login_attempts: LoginAttemptRow;
  encryption_reservations: EncryptionReservationRow;
  time_record: TimeRecordRow;
  counters: CounterRow;
  leases: LeaseRow;
  drained_members: DrainedMemberRow;
  pin_rotations: PinRotationRow;
  pin_rotation_members: PinRotationMemberRow;
  pin_ages: PinAgeRow;
  default_pins: DefaultPinRow;
  cluster_loads: ClusterLoadRow;
  cluster_daily_peaks: ClusterDailyPeakRow;
  catalog_epoch: CatalogEpochRow;
  catalog_epochs: PastEpochRow;
  catalog_predecessors: CatalogPredecessorRow;
  member_witnesses: MemberWitnessRow;
  backups: BackupRow;
}

/** A `PinRotation`, without its members. */
export interface PinRotationRow {
  custom_key_store_id: string;
  cluster_id: string;
  password_version: number;
  sealing_key_id: string;
  password_nonce: Uint8Array;
  password_ciphertext: Uint8Array;
  started_date: number;
}

/** A `PinRotationMember`. */
export interface PinRotationMemberRow {
  custom_key_store_id: string;
  member_name: string;
  phase: PinPhase;
  round: number;
}

/** A `DrainedMember`. Clusters belong to the configuration, not to a tenant. */
export interface DrainedMemberRow {
  cluster_id: string;
  member_name: string;
  drained_date: number;
}

/** Exactly one row. */
export interface CatalogMetadataRow {
  id: 1;
  /** Random; distinguishes this catalog from every other one, including one created anew at the same path. */
  incarnation_id: string;
  schema_version: number;
  creation_date: number;
}

interface ScopeColumns {
  account: string;
  region: string;
}

/** A `KeyRecord`. Unique by account, region and key id; never removed, since `Deleted` is a tombstone. */
export interface KeyRow extends ScopeColumns {
  key_id: string;
  description: string;
  key_usage: KeyUsage;
  key_spec: KeySpec;
  origin: Origin;
  custom_key_store_id: string | null;
  cluster_id: string;
  state: StoredKeyState;
  creation_date: number;
  deletion_date: number | null;
  pending_deletion_window_in_days: number | null;
  current_material_id: string;
}

/** A `MaterialRecord`, with the scope of its key. Unique by material id; never removed. */
export interface MaterialRow extends ScopeColumns {
  material_id: string;
  key_id: string;
  cluster_id: string;
  label: string;
  extractable: 0 | 1;
  /** Of an `EncryptionCanary`; empty, like the next one, if there is a `canary_mac`. */
  canary_nonce: Uint8Array;
  canary_ciphertext: Uint8Array;
  /** Of a `MacCanary`. */
  canary_mac: Uint8Array | null;
  creation_date: number;
  destroyed_date: number | null;
}

/** An `IntentRecord`. Unique by material id; removed only when its key commits. */
export interface IntentRow extends ScopeColumns {
  material_id: string;
  key_id: string;
  cluster_id: string;
  state: 'open' | 'abandoned' | 'destroyed';
  opened_date: number;
  abandoned_date: number | null;
}

/** An `AliasRecord`. Unique by account, region and name; a foreign key ties it to a key of the same scope. */
export interface AliasRow extends ScopeColumns {
  alias_name: string;
  target_key_id: string;
  creation_date: number;
  last_updated_date: number;
}

/** A `StoreRecord`. Its name is unique in its account and region, its cluster in the whole catalog. */
export interface StoreRow extends ScopeColumns {
  custom_key_store_id: string;
  name: string;
  cluster_id: string;
  trust_anchor_certificate: string;
  sealing_key_id: string;
  password_nonce: Uint8Array;
  password_ciphertext: Uint8Array;
  password_version: number;
  connection_state: ConnectionState;
  connection_error_code: ConnectionErrorCode | null;
  creation_date: number;
}

/** A `PinAge`, unique by key store. */
export interface PinAgeRow {
  key_store: string;
  credential_version: string;
  since_date: number;
  attempt_date: number | null;
}

/** A `DefaultPinRecord`, unique by cluster and version. */
export interface DefaultPinRow {
  cluster_id: string;
  password_version: number;
  sealing_key_id: string;
  password_nonce: Uint8Array;
  password_ciphertext: Uint8Array;
  taken_up_date: number | null;
}

/** Belongs to a token, which tenants may share: so it has no account and no region. */
export interface LoginAttemptRow {
  token_serial_number: string;
  credential_version: string;
  state: 'open' | 'succeeded' | 'failed';
  claimed_date: number;
  /** The `Claimant` of the last claim; null if it was made by a binary that knew no claimants. */
  claimed_by: string | null;
  lock_domain: string | null;
}

/** The encryptions reserved for a material. A material without any encryption yet has no row. */
export interface EncryptionReservationRow {
  material_id: string;
  reserved_encryptions: number;
}

/** A `ProcessLoad`, one for each cluster and process. Rates are in thousandths of an operation per second. */
export interface ClusterLoadRow {
  cluster_id: string;
  process_name: string;
  recorded_date: number;
  milli_operations: number;
  milli_ceiling: number | null;
}

/** A `DailyPeak`, one for each cluster and day. */
export interface ClusterDailyPeakRow {
  cluster_id: string;
  day: string;
  milli_operations: number;
  milli_ceiling: number | null;
}

/** Exactly one row, joined with that of `catalog_metadata`. */
export interface CatalogEpochRow {
  id: 1;
  epoch: number;
  /** The sum of changes and reserved encryptions when the epoch was raised. */
  change_mark: number;
  raised_date: number;
  /** A `FoundRollback`. */
  rollback_date: number | null;
  rollback_message: string | null;
}

/** The latest epochs, and when each began: a copy that went another way has others. */
export interface PastEpochRow {
  epoch: number;
  raised_date: number;
}

/** An incarnation that this catalog follows. */
export interface CatalogPredecessorRow {
  incarnation_id: string;
}

/** A `MemberWitness` of the present incarnation. */
export interface MemberWitnessRow {
  cluster_id: string;
  member_name: string;
  epoch: number;
  written_date: number;
}

/** A `BackupRecord`; `generations` is JSON. Never removed. */
export interface BackupRow {
  backup_id: string;
  file_name: string;
  trigger_name: BackupRecord['trigger'];
  /** `FAILED` with an `unknown_since_date`: the state is `UNKNOWN`. */
  state: Exclude<BackupRecord['state'], 'UNKNOWN'>;
  start_date: number;
  end_date: number | null;
  size_bytes: number | null;
  key_materials: number;
  absent_key_materials: number;
  generations: string;
  failure: string | null;
  verification: BackupRecord['verification'];
  verification_date: number | null;
  verification_failure: string | null;
  removed_date: number | null;
  copied_date: number | null;
  gone_date: number | null;
  unknown_since_date: number | null;
}

/** A `TimeRecord`; one row at most. */
export interface TimeRecordRow {
  id: 1;
  reference_date: number;
  reference_boot_id: string;
  reference_since_boot_ms: number;
  last_seen_date: number;
  hold_reason: HoldReason | null;
  hold_since_date: number | null;
  hold_expected_date: number | null;
  hold_found_date: number | null;
}

/**
 * An ascending number. `changes` counts changes of the tables that the read cache keeps, by triggers; `fence` is that
 * of the last lease.
 */
export interface CounterRow {
  name: 'changes' | 'fence';
  value: number;
}

/** A `Lease`, unique by name. Its times are of the database's clock, which `clock` distinguishes from another one's. */
export interface LeaseRow {
  name: string;
  holder: string;
  fence: number;
  clock: string;
  renewed_ms: number;
  expires_ms: number;
}

/**
 * The constraints whose violation is an expected outcome. PostgreSQL reports their names, SQLite the columns.
 */
export const uniqueConstraints = {
  aliases_name: ['aliases.account', 'aliases.region', 'aliases.alias_name'],
  custom_key_stores_name: ['custom_key_stores.account', 'custom_key_stores.region', 'custom_key_stores.name'],
  custom_key_stores_cluster: ['custom_key_stores.cluster_id'],
} as const satisfies Record<string, readonly string[]>;

/** A constraint's name in the migrations, which PostgreSQL would report. */
export type UniqueConstraint = keyof typeof uniqueConstraints;

/** Differences between databases in the declaration of columns and tables. */
export interface ColumnTypes {
  /** Text that compares by its bytes (PostgreSQL: `text collate "C"`): lists are paged in that order. */
  text: RawBuilder<unknown>;
  /** An integer of 64 bits. */
  integer: RawBuilder<unknown>;
  bytes: RawBuilder<unknown>;
  /** The text after the closing parenthesis of a table. */
  tableOptions: RawBuilder<unknown>;
  /** Triggers that run `statement` in every transaction that inserts, updates or deletes rows of `table`. */
  triggersOnChange: (table: keyof CatalogSchema, statement: RawBuilder<unknown>) => readonly RawBuilder<unknown>[];
}
