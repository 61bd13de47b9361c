import type Sqlite from 'better-sqlite3';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  SqliteDialect,
  type SqliteDialectConfig,
  SqliteDriver,
} from 'kysely';

/** Kysely's SQLite dialect with transactions that take the write lock at once, and statements prepared once. */
export class ImmediateSqliteDialect extends SqliteDialect {
  readonly #connection: Sqlite.Database;

  constructor(connection: Sqlite.Database) {
    super(configuration(connection));
    this.#connection = connection;
  }

  override createDriver(): Driver {
    return new ImmediateSqliteDriver(this.#connection);
  }
}

class ImmediateSqliteDriver extends SqliteDriver {
  readonly #connection: Sqlite.Database;

  constructor(connection: Sqlite.Database) {
    super(configuration(connection));
    this.#connection = connection;
  }

  /** A deferred transaction that reads first cannot become a writer once another process has written (SQLITE_BUSY_SNAPSHOT). */
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }

  /** On a full disk or an I/O error SQLite rolls back by itself; a second rollback would hide the error. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#connection.inTransaction) await super.rollbackTransaction(connection);
  }
}

/** Our queries have few texts (parameters are bound), so the cache of prepared statements needs no limit. */
function configuration(connection: Sqlite.Database): SqliteDialectConfig {
  const prepared = new Map<string, Sqlite.Statement>();
  return {
    database: {
      close: () => void connection.close(),
      prepare: (text) => {
        const statement = prepared.get(text) ?? connection.prepare(text);
        prepared.set(text, statement);
        return statement;
      },
    },
  };
}
