import { randomBytes } from 'node:crypto';
import { sql, type Transaction } from 'kysely';
import { type CatalogDatabase, CatalogOpenError } from './database.js';
import type { CatalogSchema, ColumnTypes } from './schema.js';
import { createFirstTables } from './schema-1.js';
import { createEncryptionReservations } from './schema-2.js';
import { createTimeRecord } from './schema-3.js';
import { createChangeCounter } from './schema-4.js';
import { createLeases } from './schema-5.js';
import { createDrainedMembers } from './schema-6.js';
import { createClusterLoads } from './schema-7.js';
import { createWitnesses } from './schema-8.js';
import { createBackups } from './schema-9.js';
import { createPinRotations } from './schema-10.js';
import { createBackupCopies } from './schema-11.js';
import { createPinAges } from './schema-12.js';
import { createMacCanaries } from './schema-13.js';
import { createDefaultPins } from './schema-14.js';

/**
 * One step of the schema. It must leave the tables readable and writable for a binary that knows only the step before,
 * because processes are replaced one after the other. A released migration never changes.
 */
interface Migration {
  /** Ascending by one. */
  version: number;
  apply(transaction: Transaction<CatalogSchema>, types: ColumnTypes): Promise<void>;
}

const migrations: readonly Migration[] = [
  { version: 1, apply: createFirstTables },
  { version: 2, apply: createEncryptionReservations },
  { version: 3, apply: createTimeRecord },
  { version: 4, apply: createChangeCounter },
  { version: 5, apply: createLeases },
  { version: 6, apply: createDrainedMembers },
  { version: 7, apply: createClusterLoads },
  { version: 8, apply: createWitnesses },
  { version: 9, apply: createBackups },
  { version: 10, apply: createPinRotations },
  { version: 11, apply: createBackupCopies },
  { version: 12, apply: createPinAges },
  { version: 13, apply: createMacCanaries },
  { version: 14, apply: createDefaultPins },
];

/** The newest schema that this binary knows. */
export const schemaVersion = migrations.length;

/**
 * Migrates an existing catalog to this binary's schema, each step in a transaction; several processes may do so at
 * once.
 * @param upTo the schema to stop at; left out: the newest
 * @returns the catalog's incarnation.
 * @throws CatalogOpenError if the catalog is newer than this binary.
 */
export async function migrate(
  database: CatalogDatabase,
  types: ColumnTypes,
  upTo: number = schemaVersion,
): Promise<string> {
  for (const migration of migrations.slice(0, upTo)) {
    await database.write(async (transaction) => {
      if ((await readMetadata(transaction)).schema_version >= migration.version) return;
      await migration.apply(transaction, types);
      await transaction.updateTable('catalog_metadata').set({ schema_version: migration.version }).execute();
    });
  }
  const metadata = await database.write(readMetadata);
  return metadata.incarnation_id;
}

/** The tables that make a database a catalog: schema 0, which `migrate` brings up to date. */
export async function createMetadata(
  transaction: Transaction<CatalogSchema>,
  types: ColumnTypes,
  now: Date,
): Promise<void> {
  await transaction.schema
    .createTable('catalog_metadata')
    .addColumn('id', types.integer, (column) => column.primaryKey().check(sql`id = 1`))
    .addColumn('incarnation_id', types.text, (column) => column.notNull())
    .addColumn('schema_version', types.integer, (column) => column.notNull())
    .addColumn('creation_date', types.integer, (column) => column.notNull())
    .modifyEnd(types.tableOptions)
    .execute();
  const incarnation = randomBytes(16).toString('hex');
  await transaction
    .insertInto('catalog_metadata')
    .values({ id: 1, incarnation_id: incarnation, schema_version: 0, creation_date: now.getTime() })
    .execute();
}

async function readMetadata(transaction: Transaction<CatalogSchema>) {
  const metadata = await transaction.selectFrom('catalog_metadata').selectAll().executeTakeFirstOrThrow();
  if (metadata.schema_version > schemaVersion) {
    throw new CatalogOpenError(
      `The catalog has schema ${metadata.schema_version}, and this version of Holdfast knows schemas up to ` +
        `${schemaVersion}. Start the newer version that last used this catalog.`,
    );
  }
  return metadata;
}
