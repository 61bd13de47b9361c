import type { Canary } from '../clusters/hsm-cluster.js';
import type { AliasRecord, IntentRecord, KeyRecord, MaterialRecord } from '../keys/key.js';
import type { Scope } from '../calls/scope.js';
import type { SealedPassword, StoreRecord } from '../keystores/store.js';
import type { AliasRow, IntentRow, KeyRow, MaterialRow, StoreRow } from './schema.js';

/** The catalog's records as rows and back. */

const dateOrNull = (ms: number | null): Date | null => (ms === null ? null : new Date(ms));
const msOrNull = (date: Date | null): number | null => date?.getTime() ?? null;

/** Dates become milliseconds since 1970, as in all rows here. */
export function keyRow(key: KeyRecord): KeyRow {
  return {
    account: key.account,
    region: key.region,
    key_id: key.keyId,
    description: key.description,
    key_usage: key.keyUsage,
    key_spec: key.keySpec,
    origin: key.origin,
    custom_key_store_id: key.customKeyStoreId,
    cluster_id: key.clusterId,
    state: key.state,
    creation_date: key.creationDate.getTime(),
    deletion_date: msOrNull(key.deletionDate),
    pending_deletion_window_in_days: key.pendingDeletionWindowInDays,
    current_material_id: key.currentMaterialId,
  };
}

/** Trusts the row: `keyRow` wrote it, and the table checks the state. */
export function keyRecord(row: KeyRow): KeyRecord {
  return {
    account: row.account,
    region: row.region,
    keyId: row.key_id,
    description: row.description,
    keyUsage: row.key_usage,
    keySpec: row.key_spec,
    origin: row.origin,
    customKeyStoreId: row.custom_key_store_id,
    clusterId: row.cluster_id,
    state: row.state,
    creationDate: new Date(row.creation_date),
    deletionDate: dateOrNull(row.deletion_date),
    pendingDeletionWindowInDays: row.pending_deletion_window_in_days,
    currentMaterialId: row.current_material_id,
  };
}

/** The scope is the key's: a material's record has none of its own. A flag becomes 0 or 1. */
export function materialRow(scope: Scope, material: MaterialRecord): MaterialRow {
  return {
    material_id: material.materialId,
    account: scope.account,
    region: scope.region,
    key_id: material.keyId,
    cluster_id: material.clusterId,
    label: material.label,
    extractable: material.extractable ? 1 : 0,
    ...canaryColumns(material.canary),
    creation_date: material.creationDate.getTime(),
    destroyed_date: msOrNull(material.destroyedDate),
  };
}

/** Leaves out the account and region: a material's id is unique in the whole catalog. */
export function materialRecord(row: MaterialRow): MaterialRecord {
  return {
    materialId: row.material_id,
    keyId: row.key_id,
    clusterId: row.cluster_id,
    label: row.label,
    extractable: row.extractable === 1,
    canary: canaryOf(row),
    creationDate: new Date(row.creation_date),
    destroyedDate: dateOrNull(row.destroyed_date),
  };
}

type CanaryColumns = Pick<MaterialRow, 'canary_nonce' | 'canary_ciphertext' | 'canary_mac'>;

function canaryColumns(canary: Canary): CanaryColumns {
  if ('mac' in canary)
    return { canary_nonce: new Uint8Array(), canary_ciphertext: new Uint8Array(), canary_mac: canary.mac };
  return { canary_nonce: canary.nonce, canary_ciphertext: canary.ciphertext, canary_mac: null };
}

/** The known answer that these columns keep. */
export function canaryOf({
  canary_mac: mac,
  canary_nonce: nonce,
  canary_ciphertext: ciphertext,
}: CanaryColumns): Canary {
  if (mac !== null) return { mac: plainBytes(mac) };
  return { nonce: plainBytes(nonce), ciphertext: plainBytes(ciphertext) };
}

/** The row for `openIntent`; later changes set single columns. */
export function intentRow(intent: IntentRecord): IntentRow {
  return {
    material_id: intent.materialId,
    account: intent.account,
    region: intent.region,
    key_id: intent.keyId,
    cluster_id: intent.clusterId,
    state: intent.state,
    opened_date: intent.openedDate.getTime(),
    abandoned_date: msOrNull(intent.abandonedDate),
  };
}

/** The record for `intent-recovery.ts`, which works on the intents of all scopes. */
export function intentRecord(row: IntentRow): IntentRecord {
  return {
    account: row.account,
    region: row.region,
    materialId: row.material_id,
    keyId: row.key_id,
    clusterId: row.cluster_id,
    state: row.state,
    openedDate: new Date(row.opened_date),
    abandonedDate: dateOrNull(row.abandoned_date),
  };
}

/** The row for `createAlias`; a later change of target sets single columns. */
export function aliasRow(alias: AliasRecord): AliasRow {
  return {
    account: alias.account,
    region: alias.region,
    alias_name: alias.aliasName,
    target_key_id: alias.targetKeyId,
    creation_date: alias.creationDate.getTime(),
    last_updated_date: alias.lastUpdatedDate.getTime(),
  };
}

/** The name keeps its prefix `alias/`, which the row has too. */
export function aliasRecord(row: AliasRow): AliasRecord {
  return {
    account: row.account,
    region: row.region,
    aliasName: row.alias_name,
    targetKeyId: row.target_key_id,
    creationDate: new Date(row.creation_date),
    lastUpdatedDate: new Date(row.last_updated_date),
  };
}

/** The password stays as it is: sealed. */
export function storeRow(store: StoreRecord): StoreRow {
  return {
    custom_key_store_id: store.customKeyStoreId,
    account: store.account,
    region: store.region,
    name: store.name,
    cluster_id: store.clusterId,
    trust_anchor_certificate: store.trustAnchorCertificate,
    ...passwordColumns(store.password),
    password_version: store.passwordVersion,
    connection_state: store.connectionState,
    connection_error_code: store.connectionErrorCode,
    creation_date: store.creationDate.getTime(),
  };
}

/**
 * The columns of a sealed password, for a new store and for a new password of an existing one. The version is not among
 * them.
 */
export function passwordColumns(
  password: SealedPassword,
): Pick<StoreRow, 'sealing_key_id' | 'password_nonce' | 'password_ciphertext'> {
  return {
    sealing_key_id: password.sealingKeyId,
    password_nonce: password.nonce,
    password_ciphertext: password.ciphertext,
  };
}

/** The password is still sealed: only `unsealPassword` opens it. */
export function storeRecord(row: StoreRow): StoreRecord {
  return {
    account: row.account,
    region: row.region,
    customKeyStoreId: row.custom_key_store_id,
    name: row.name,
    clusterId: row.cluster_id,
    trustAnchorCertificate: row.trust_anchor_certificate,
    password: {
      sealingKeyId: row.sealing_key_id,
      nonce: plainBytes(row.password_nonce),
      ciphertext: plainBytes(row.password_ciphertext),
    },
    passwordVersion: row.password_version,
    connectionState: row.connection_state,
    connectionErrorCode: row.connection_error_code,
    creationDate: new Date(row.creation_date),
  };
}

/** Drivers return a Buffer, whose `slice` and `toString` differ from those of the Uint8Array that the port promises. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
