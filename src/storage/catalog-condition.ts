import Sqlite from 'better-sqlite3';
import type { DefaultPinRecord } from '../keystores/default-pin-record.js';
import type { ConnectionState } from '../keystores/store.js';
import type { ConnectionErrorCode } from '../clusters/hsm-cluster.js';
import { openError } from './catalog-problem.js';
import { CatalogOpenError } from './database.js';
import { defaultPinRecord } from './default-pins.js';
import type { DefaultPinRow } from './schema.js';

/** The facts in the catalog that keep key stores from serving. Read without an HSM. */
export interface CatalogCondition {
  stores: {
    customKeyStoreId: string;
    name: string;
    state: ConnectionState;
    errorCode: ConnectionErrorCode | null;
    /** The name of the store's password in `LoginAttempts`. */
    credentialVersion: string;
  }[];
  /** PINs that rotations gave to default key stores, by cluster, oldest first. */
  defaultPins: DefaultPinRecord[];
  /** Credentials that a token refused: none of them is tried again. */
  refusedCredentials: { tokenSerialNumber: string; credentialVersion: string; date: Date }[];
}

/** Reads a sound catalog, through a read-only connection. One that was never migrated has no such facts. */
export function readCatalogCondition(file: string): CatalogCondition {
  const connection = new Sqlite(file, { readonly: true, fileMustExist: true });
  try {
    const tables = connection.prepare("select name from sqlite_schema where type = 'table'").pluck().all();
    if (!tables.includes('custom_key_stores') || !tables.includes('login_attempts'))
      return { stores: [], defaultPins: [], refusedCredentials: [] };
    const stores = connection
      .prepare(
        `select custom_key_store_id as customKeyStoreId, name, connection_state as state,
           connection_error_code as errorCode, custom_key_store_id || ':' || password_version as credentialVersion
         from custom_key_stores order by name`,
      )
      .all() as CatalogCondition['stores'];
    const refused = connection
      .prepare(
        `select token_serial_number as tokenSerialNumber, credential_version as credentialVersion, claimed_date as date
         from login_attempts where state = 'failed'`,
      )
      .all() as { tokenSerialNumber: string; credentialVersion: string; date: number }[];
    const defaultPins = tables.includes('default_pins') ? readDefaultPins(connection) : [];
    return { stores, defaultPins, refusedCredentials: refused.map((row) => ({ ...row, date: new Date(row.date) })) };
  } finally {
    connection.close();
  }
}

function readDefaultPins(connection: Sqlite.Database): DefaultPinRecord[] {
  const query = 'select * from default_pins order by cluster_id, password_version';
  return connection.prepare<[], DefaultPinRow>(query).all().map(defaultPinRecord);
}

/**
 * Whether a catalog accepts a change now: begins one, and rolls it back before anything is written.
 * @param busyTimeoutMs how long to wait, blocking, for another process that holds it
 * @returns the message for the operator, or undefined
 */
export function catalogWriteProblem(file: string, busyTimeoutMs: number): string | undefined {
  try {
    const connection = new Sqlite(file, { fileMustExist: true, timeout: busyTimeoutMs });
    try {
      connection.exec('begin immediate; rollback');
      return undefined;
    } finally {
      connection.close();
    }
  } catch (error) {
    const explained = openError(file, error);
    if (explained instanceof CatalogOpenError) return explained.message;
    throw error;
  }
}
