import Sqlite from 'better-sqlite3';
import type { Clock } from '../clock.js';
import { CatalogOpenError } from './database.js';
import { createMetadata, migrate, schemaVersion } from './migrations.js';
import { isSqliteError } from './sqlite-connection.js';
import { SqliteCatalogDatabase } from './sqlite-database.js';
import { columnTypes } from './sqlite-types.js';

/** A table, index, trigger or view, as SQLite keeps it. */
interface SchemaObject {
  type: string;
  name: string;
  tbl_name: string;
  /** Null for the indices that SQLite makes by itself. */
  sql: string | null;
}

const busyTimeoutMs = 1_000;

/**
 * Checks that a file from elsewhere has the schema of a catalog and nothing else, before anything of it is used: a trigger would run
 * when we write, and a view stand for a table. A file that is no catalog passes: `catalogProblem` says what it is.
 * @param named the name of the file for the message. @param remedy what to do
 * @throws CatalogOpenError with the first object that no migration makes, or that is missing
 */
export async function requireOwnSchema(
  path: string,
  clock: Clock,
  named = path,
  remedy = 'Nothing of it was used. Take another copy.',
): Promise<void> {
  const found = readForeign(path);
  if (found === undefined) return;
  const expected = await schemaOf(found.version, clock);
  const [strange] = found.objects.filter((object) => !expected.some((own) => isSame(own, object)));
  const [missing] = expected.filter((own) => !found.objects.some((object) => isSame(own, object)));
  if (strange === undefined && missing === undefined) return;
  const what =
    strange === undefined
      ? `it lacks the ${describe(missing)}`
      : `it has the ${describe(strange)}, which Holdfast does not make so`;
  throw new CatalogOpenError(
    `The catalog in ${named} is not as Holdfast makes one: ${what}. Someone else has changed it. ${remedy}`,
  );
}

/** The objects of a file, through a connection that runs nothing of it; undefined if it is no catalog that this version knows. */
function readForeign(path: string): { version: number; objects: SchemaObject[] } | undefined {
  let connection: Sqlite.Database | undefined;
  try {
    connection = new Sqlite(path, { readonly: true, fileMustExist: true, timeout: busyTimeoutMs });
    distrust(connection);
    const objects = objectsIn(connection);
    if (!objects.some(({ type, name }) => type === 'table' && name === 'catalog_metadata')) return undefined;
    const version: unknown = connection.prepare('select schema_version from catalog_metadata').pluck().get();
    const isKnown = Number.isInteger(version) && Number(version) >= 0 && Number(version) <= schemaVersion;
    return isKnown ? { version: Number(version), objects } : undefined;
  } catch (error) {
    if (isSqliteError(error)) return undefined;
    throw error;
  } finally {
    connection?.close();
  }
}

/** SQLite's settings for a file from an untrusted source (sqlite.org/security.html). better-sqlite3 is defensive by default. */
export function distrust(connection: Sqlite.Database): void {
  connection.pragma('trusted_schema = OFF');
  connection.pragma('cell_size_check = ON');
}

/** The objects of an empty catalog with this schema. */
async function schemaOf(version: number, clock: Clock): Promise<SchemaObject[]> {
  const connection = new Sqlite(':memory:');
  const database = new SqliteCatalogDatabase(connection, clock, busyTimeoutMs);
  try {
    await database.write((transaction) => createMetadata(transaction, columnTypes, clock.now()));
    await migrate(database, columnTypes, version);
    return objectsIn(connection);
  } finally {
    await database.close();
  }
}

/**
 * What ANALYZE and `PRAGMA optimize` make: numbers for the planner, which an administrator may have let SQLite collect. They change no
 * answer.
 */
const statistics: ReadonlyMap<string, string> = new Map([
  ['sqlite_stat1', 'CREATE TABLE sqlite_stat1(tbl,idx,stat)'],
  ['sqlite_stat4', 'CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)'],
]);

function objectsIn(connection: Sqlite.Database): SchemaObject[] {
  const query = 'select type, name, tbl_name, sql from sqlite_schema';
  const objects = connection.prepare<[], SchemaObject>(query).all();
  return objects.filter(({ type, name, sql }) => !(type === 'table' && sql !== null && statistics.get(name) === sql));
}

function isSame(one: SchemaObject, other: SchemaObject): boolean {
  return one.type === other.type && one.name === other.name && one.tbl_name === other.tbl_name && one.sql === other.sql;
}

function describe(object: SchemaObject | undefined): string {
  return `${object?.type ?? 'object'} ${JSON.stringify(object?.name.slice(0, 100) ?? '')}`;
}
