import { sql, type Transaction } from 'kysely';
import type { CatalogSchema, ColumnTypes } from './schema.js';

/** Migration 1: all tables of the first version. */
export async function createFirstTables(transaction: Transaction<CatalogSchema>, types: ColumnTypes): Promise<void> {
  await createKeys(transaction, types);
  await createMaterials(transaction, types);
  await createIntents(transaction, types);
  await createAliases(transaction, types);
  await createStores(transaction, types);
  await createLoginAttempts(transaction, types);
}

/** A store's id is not a foreign key: the tombstone of a key outlives the store. */
async function createKeys({ schema }: Transaction<CatalogSchema>, types: ColumnTypes): Promise<void> {
  const states = sql`state in ('Enabled', 'Disabled', 'PendingDeletion', 'Deleting', 'Deleted')`;
  await schema
    .createTable('keys')
    .addColumn('account', types.text, (column) => column.notNull())
    .addColumn('region', types.text, (column) => column.notNull())
    .addColumn('key_id', types.text, (column) => column.notNull())
    .addColumn('description', types.text, (column) => column.notNull())
    .addColumn('key_usage', types.text, (column) => column.notNull())
    .addColumn('key_spec', types.text, (column) => column.notNull())
    .addColumn('origin', types.text, (column) => column.notNull())
    .addColumn('custom_key_store_id', types.text)
    .addColumn('cluster_id', types.text, (column) => column.notNull())
    .addColumn('state', types.text, (column) => column.notNull().check(states))
    .addColumn('creation_date', types.integer, (column) => column.notNull())
    .addColumn('deletion_date', types.integer)
    .addColumn('pending_deletion_window_in_days', types.integer)
    .addColumn('current_material_id', types.text, (column) => column.notNull())
    .addPrimaryKeyConstraint('keys_id', ['account', 'region', 'key_id'])
    .modifyEnd(types.tableOptions)
    .execute();
  await schema.createIndex('keys_of_store').on('keys').column('custom_key_store_id').execute();
  await schema.createIndex('keys_due').on('keys').columns(['state', 'deletion_date']).execute();
}

async function createMaterials({ schema }: Transaction<CatalogSchema>, types: ColumnTypes): Promise<void> {
  await schema
    .createTable('materials')
    .addColumn('material_id', types.text, (column) => column.notNull())
    .addColumn('account', types.text, (column) => column.notNull())
    .addColumn('region', types.text, (column) => column.notNull())
    .addColumn('key_id', types.text, (column) => column.notNull())
    .addColumn('cluster_id', types.text, (column) => column.notNull())
    .addColumn('label', types.text, (column) => column.notNull())
    .addColumn('extractable', types.integer, (column) => column.notNull().check(sql`extractable in (0, 1)`))
    .addColumn('canary_nonce', types.bytes, (column) => column.notNull())
    .addColumn('canary_ciphertext', types.bytes, (column) => column.notNull())
    .addColumn('creation_date', types.integer, (column) => column.notNull())
    .addColumn('destroyed_date', types.integer)
    .addPrimaryKeyConstraint('materials_id', ['material_id'])
    .addForeignKeyConstraint('materials_key', ['account', 'region', 'key_id'], 'keys', ['account', 'region', 'key_id'])
    .modifyEnd(types.tableOptions)
    .execute();
  await schema.createIndex('materials_of_key').on('materials').column('key_id').execute();
}

async function createIntents({ schema }: Transaction<CatalogSchema>, types: ColumnTypes): Promise<void> {
  const states = sql`state in ('open', 'abandoned', 'destroyed')`;
  await schema
    .createTable('intents')
    .addColumn('material_id', types.text, (column) => column.notNull())
    .addColumn('account', types.text, (column) => column.notNull())
    .addColumn('region', types.text, (column) => column.notNull())
    .addColumn('key_id', types.text, (column) => column.notNull())
    .addColumn('cluster_id', types.text, (column) => column.notNull())
    .addColumn('state', types.text, (column) => column.notNull().check(states))
    .addColumn('opened_date', types.integer, (column) => column.notNull())
    .addColumn('abandoned_date', types.integer)
    .addPrimaryKeyConstraint('intents_id', ['material_id'])
    .modifyEnd(types.tableOptions)
    .execute();
  await schema.createIndex('intents_abandoned').on('intents').columns(['state', 'abandoned_date']).execute();
}

async function createAliases({ schema }: Transaction<CatalogSchema>, types: ColumnTypes): Promise<void> {
  const target = ['account', 'region', 'target_key_id'] as const;
  await schema
    .createTable('aliases')
    .addColumn('account', types.text, (column) => column.notNull())
    .addColumn('region', types.text, (column) => column.notNull())
    .addColumn('alias_name', types.text, (column) => column.notNull())
    .addColumn('target_key_id', types.text, (column) => column.notNull())
    .addColumn('creation_date', types.integer, (column) => column.notNull())
    .addColumn('last_updated_date', types.integer, (column) => column.notNull())
    .addPrimaryKeyConstraint('aliases_name', ['account', 'region', 'alias_name'])
    .addForeignKeyConstraint('aliases_key', [...target], 'keys', ['account', 'region', 'key_id'])
    .modifyEnd(types.tableOptions)
    .execute();
  await schema
    .createIndex('aliases_of_key')
    .on('aliases')
    .columns([...target])
    .execute();
}

async function createStores({ schema }: Transaction<CatalogSchema>, types: ColumnTypes): Promise<void> {
  const states = sql`connection_state in ('CONNECTED', 'CONNECTING', 'FAILED', 'DISCONNECTED', 'DISCONNECTING')`;
  await schema
    .createTable('custom_key_stores')
    .addColumn('custom_key_store_id', types.text, (column) => column.notNull())
    .addColumn('account', types.text, (column) => column.notNull())
    .addColumn('region', types.text, (column) => column.notNull())
    .addColumn('name', types.text, (column) => column.notNull())
    .addColumn('cluster_id', types.text, (column) => column.notNull())
    .addColumn('trust_anchor_certificate', types.text, (column) => column.notNull())
    .addColumn('sealing_key_id', types.text, (column) => column.notNull())
    .addColumn('password_nonce', types.bytes, (column) => column.notNull())
    .addColumn('password_ciphertext', types.bytes, (column) => column.notNull())
    .addColumn('password_version', types.integer, (column) => column.notNull())
    .addColumn('connection_state', types.text, (column) => column.notNull().check(states))
    .addColumn('connection_error_code', types.text)
    .addColumn('creation_date', types.integer, (column) => column.notNull())
    .addPrimaryKeyConstraint('custom_key_stores_id', ['custom_key_store_id'])
    .addUniqueConstraint('custom_key_stores_name', ['account', 'region', 'name'])
    .addUniqueConstraint('custom_key_stores_cluster', ['cluster_id'])
    .modifyEnd(types.tableOptions)
    .execute();
}

async function createLoginAttempts({ schema }: Transaction<CatalogSchema>, types: ColumnTypes): Promise<void> {
  await schema
    .createTable('login_attempts')
    .addColumn('token_serial_number', types.text, (column) => column.notNull())
    .addColumn('credential_version', types.text, (column) => column.notNull())
    .addColumn('state', types.text, (column) => column.notNull().check(sql`state in ('open', 'succeeded', 'failed')`))
    .addColumn('claimed_date', types.integer, (column) => column.notNull())
    .addPrimaryKeyConstraint('login_attempts_id', ['token_serial_number', 'credential_version'])
    .modifyEnd(types.tableOptions)
    .execute();
}
