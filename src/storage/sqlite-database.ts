import { MessageChannel } from 'node:worker_threads';
import type Sqlite from 'better-sqlite3';
import { Kysely, sql, type Transaction } from 'kysely';
import { type Clock, delay } from '../clock.js';
import { HoldfastError } from '../errors.js';
import {
  type CatalogDatabase,
  CatalogOpenError,
  catalogBusy,
  catalogFailure,
  UniqueConstraintError,
} from './database.js';
import { catalogProblem } from './catalog-problem.js';
import { FilePresence } from './file-presence.js';
import { type CatalogSchema, type UniqueConstraint, uniqueConstraints } from './schema.js';
import { isBusy, isSqliteError } from './sqlite-connection.js';
import { ImmediateSqliteDialect } from './sqlite-dialect.js';

/** First and longest pause before a write is tried again that found another process writing. */
const firstPauseMs = 1;
const longestPauseMs = 32;

/** Writes through any connection of this process that may have become visible. */
let writesInProcess = 0;

/** One SQLite connection behind the port of the shared queries. */
export class SqliteCatalogDatabase implements CatalogDatabase {
  readonly #connection: Sqlite.Database;
  readonly #tables: Kysely<CatalogSchema>;
  readonly #dataVersion: Sqlite.Statement<[], number>;
  readonly #clock: Clock;
  readonly #busyTimeoutMs: number;
  /** Ends with the last task that was given to the connection. Kysely's own queue wakes all waiters for each task. */
  #lastTask: Promise<unknown> = Promise.resolve();
  #presence: FilePresence | undefined;
  #seenDataVersion: number | undefined;
  #changes = 0;
  /** `writesInProcess` when the data version was last read in this turn of the event loop; undefined before it was. */
  #lookedAtWrites: number | undefined;

  constructor(connection: Sqlite.Database, clock: Clock, busyTimeoutMs: number) {
    this.#connection = connection;
    this.#tables = new Kysely({ dialect: new ImmediateSqliteDialect(connection) });
    this.#dataVersion = connection.prepare<[], number>('pragma data_version').pluck();
    this.#clock = clock;
    this.#busyTimeoutMs = busyTimeoutMs;
  }

  read<T>(query: (database: Kysely<CatalogSchema>) => Promise<T>): Promise<T> {
    return this.#untilNotBusy(() => query(this.#tables));
  }

  async write<T>(work: (transaction: Transaction<CatalogSchema>) => Promise<T>): Promise<T> {
    try {
      return await this.writeUncached(work);
    } finally {
      // Also after a failure: a commit whose sync failed may have become visible.
      this.#changes += 1;
      writesInProcess += 1;
    }
  }

  writeUncached<T>(work: (transaction: Transaction<CatalogSchema>) => Promise<T>): Promise<T> {
    return this.#untilNotBusy(async () => {
      this.#presence?.require();
      const result = await this.#tables.transaction().execute(work);
      // Also afterwards: what was committed to a file that is gone must not be acknowledged.
      this.#presence?.require();
      return result;
    });
  }

  /** From here on a write fails when the files are no longer where they were, instead of going nowhere. */
  watchFiles(file: string): void {
    this.#presence = new FilePresence(file, () => catalogProblem(file, undefined, 0)?.message);
  }

  /** Commits and syncs one page, because SQLite does neither where nothing changes. Rejects as a write does. */
  async verifyWritable(): Promise<void> {
    await this.writeUncached((transaction) => sql`pragma user_version = 0`.execute(transaction));
  }

  /**
   * `data_version` changes with the commits of every other connection; our own are counted. It is read once in a turn of
   * the event loop, and again after a write of this process: a read takes three file
   * locks, a request asks five times, and many requests come in one turn. What another process commits is so seen with the next turn.
   */
  changeCount(): number {
    if (this.#lookedAtWrites !== writesInProcess) this.#lookForChanges();
    return this.#changes;
  }

  /** Until then SQLite's own waiting for other processes stops this whole process; from then on it waits aside. */
  stopBlocking(): void {
    this.#connection.pragma('busy_timeout = 0');
  }

  /** Waits for what is under way, then closes. */
  async close(): Promise<void> {
    await this.#lastTask;
    this.#connection.close();
  }

  #lookForChanges(): void {
    if (this.#lookedAtWrites === undefined) setImmediate(() => (this.#lookedAtWrites = undefined));
    this.#lookedAtWrites = writesInProcess;
    const dataVersion = this.#readDataVersion();
    if (dataVersion === undefined || dataVersion !== this.#seenDataVersion) {
      this.#seenDataVersion = dataVersion;
      this.#changes += 1;
    }
  }

  /** Undefined while another process recovers or closes the file: then nobody can tell, which counts as a change. */
  #readDataVersion(): number | undefined {
    try {
      return this.#dataVersion.get();
    } catch (thrown) {
      if (isBusy(thrown)) return undefined;
      throw translate(thrown);
    }
  }

  /** Tries again, without blocking, while another process holds the lock. Others take their turn in the pauses. */
  async #untilNotBusy<T>(task: () => Promise<T>): Promise<T> {
    const deadlineMs = this.#clock.monotonicMs() + this.#busyTimeoutMs;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      try {
        return await this.#inTurn(task);
      } catch (thrown) {
        if (!isBusy(thrown)) throw translate(thrown);
        if (this.#clock.monotonicMs() >= deadlineMs) throw catalogBusy(thrown);
      }
      await this.#pause(pauseMs);
    }
  }

  /** A clock's timers do not keep the process alive, but a process that starts may have nothing else yet to wait for. */
  async #pause(pauseMs: number): Promise<void> {
    const { port1 } = new MessageChannel();
    port1.ref();
    try {
      await delay(this.#clock, pauseMs);
    } finally {
      port1.close();
    }
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#lastTask.then(task);
    this.#lastTask = result.catch(() => undefined);
    return result;
  }
}

function translate(thrown: unknown): unknown {
  const alreadyOurs = thrown instanceof HoldfastError || thrown instanceof CatalogOpenError;
  if (alreadyOurs) return thrown;
  const constraint = violatedConstraint(thrown);
  return constraint === undefined ? catalogFailure(thrown) : new UniqueConstraintError(constraint, thrown);
}

/** SQLite names the columns: "UNIQUE constraint failed: aliases.account, aliases.region, aliases.alias_name". */
function violatedConstraint(thrown: unknown): UniqueConstraint | undefined {
  if (!isSqliteError(thrown) || !/^SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY)$/.test(thrown.code)) return undefined;
  const names = Object.keys(uniqueConstraints) as UniqueConstraint[];
  return names.find((name) => thrown.message.endsWith(`: ${uniqueConstraints[name].join(', ')}`));
}
