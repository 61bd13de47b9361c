import { lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import * as z from 'zod';
import { CatalogOpenError } from './database.js';
import { isSqliteError } from './sqlite-connection.js';

/** A row of the attempts to log in. Catalogs with a schema before 5 have no claimants. */
const rowSchema = z.strictObject({
  token_serial_number: z.string(),
  credential_version: z.string(),
  state: z.enum(['open', 'succeeded', 'failed']),
  claimed_date: z.int(),
  claimed_by: z.string().nullable().default(null),
  lock_domain: z.string().nullable().default(null),
});
const rowsSchema = z.array(rowSchema);

/** What restores that failed learned of refused PINs: in a file, until one has succeeded. */
export class RememberedLogins {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Takes over what a staged catalog knows. If it cannot be written, what was known before stays. */
  takeFrom(catalog: string): void {
    const rows = rowsIn(catalog);
    if (rows.length === 0) return;
    const temporary = `${this.#path}.new`;
    writeFileSync(temporary, JSON.stringify(rows), { mode: 0o600, flush: true });
    renameSync(temporary, this.#path);
  }

  /** Writes it into a staged catalog. @throws CatalogOpenError if the file is not what a restore left */
  putInto(catalog: string): void {
    const rows = this.#read();
    if (rows.length === 0) return;
    const connection = new Sqlite(catalog, { fileMustExist: true });
    try {
      const insert = connection.prepare(
        `insert or replace into login_attempts
           (token_serial_number, credential_version, state, claimed_date, claimed_by, lock_domain)
         values (@token_serial_number, @credential_version, @state, @claimed_date, @claimed_by, @lock_domain)`,
      );
      for (const row of rows) insert.run(row);
    } finally {
      connection.close();
    }
  }

  /** A restore has succeeded: the catalog knows it now. */
  forget(): void {
    rmSync(this.#path, { force: true });
  }

  #read(): z.output<typeof rowsSchema> {
    const found = lstatSync(this.#path, { throwIfNoEntry: false });
    if (found === undefined) return [];
    const read = found.isFile() ? rowsSchema.safeParse(parsed(readFileSync(this.#path, 'utf8'))) : undefined;
    if (read?.success === true) return read.data;
    throw new CatalogOpenError(
      `${this.#path} is not what a restore remembers of refused PINs. Move it away to go on: a PIN that was refused is then tried once more.`,
    );
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** None if the catalog is not there, or its restore was ended before it was whole. */
function rowsIn(path: string): z.output<typeof rowsSchema> {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return [];
  let connection: Sqlite.Database | undefined;
  try {
    connection = new Sqlite(path, { readonly: true });
    connection.pragma('trusted_schema = OFF');
    const read = rowsSchema.safeParse(connection.prepare('select * from login_attempts').all());
    return read.success ? read.data : [];
  } catch (error) {
    if (isSqliteError(error)) return [];
    throw error;
  } finally {
    connection?.close();
  }
}
