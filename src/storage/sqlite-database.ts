import { MessageChannel } from 'node:worker_threads';
import type Sqlite from 'better-sqlite3';
import { Kysely, type Transaction } from 'kysely';
import { type Clock, delay } from '../clock.js';
import type { ChangeFeed } from '../coordination/change-feed.js';
import { HoldfastError } from '../errors.js';
import {
  type CatalogDatabase,
  CatalogOpenError,
  type DatabaseTime,
  catalogBusy,
  catalogFailure,
  UniqueConstraintError,
} from './database.js';
import { catalogProblem } from './catalog-problem.js';
import { FilePresence } from './file-presence.js';
import { type CatalogSchema, type UniqueConstraint, uniqueConstraints } from './schema.js';
import { isBusy, isSqliteError } from './sqlite-connection.js';
import { ImmediateSqliteDialect } from './sqlite-dialect.js';

/** First and maximum pause before retrying a write that found another process writing. */
const firstPauseMs = 1;
/** Short, because SQLite has no queue: who asks seldom loses to others that write without a pause, until the time is up. */
const longestPauseMs = 8;

/**
 * Counts the writes of this process, through any connection, that may have become visible: SQLite reports only those of
 * other connections.
 */
let writesInProcess = 0;

/** One SQLite connection behind the port of the shared queries. */
export class SqliteCatalogDatabase implements CatalogDatabase, ChangeFeed {
  readonly #connection: Sqlite.Database;
  readonly #tables: Kysely<CatalogSchema>;
  readonly #dataVersion: Sqlite.Statement<[], number>;
  readonly #clock: Clock;
  readonly #busyTimeoutMs: number;
  /** Settles with the last task of the connection. Kysely's own queue wakes all waiters for each task. */
  #lastTask: Promise<unknown> = Promise.resolve();
  #presence: FilePresence | undefined;
  #changeCounter: Sqlite.Statement<[], number> | undefined;
  #position = 0;
  /** The state behind the position; undefined if it is unknown. */
  #seen: { dataVersion: number | undefined; writes: number; changes: number | undefined } | undefined;
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
      return await this.#untilNotBusy(() => this.#transact(work));
    } finally {
      // Also after a failure: a commit whose sync failed may have become visible.
      writesInProcess += 1;
    }
  }

  /**
   * All processes on a SQLite file are on one machine, and CLOCK_MONOTONIC is the same for all of them. The uptime is not:
   * containers may be shown their own. No clock outlives a restart of the machine.
   */
  time(): Promise<DatabaseTime> {
    const { bootId } = this.#clock.boot();
    return Promise.resolve({ clock: bootId, nowMs: Math.floor(this.#clock.monotonicMs()) });
  }

  /** Watches the files: from here on a write fails if they are no longer in place, instead of being lost. */
  watchFiles(file: string): void {
    this.#presence = new FilePresence(file, () => catalogProblem(file, undefined, 0)?.message);
  }

  /**
   * Asks SQLite once per turn of the event loop, and again after a write of this process: it takes three file locks, a
   * request asks five times, and many requests come in one turn. So another process's commit appears in the next turn.
   */
  position(): number {
    if (this.#lookedAtWrites !== writesInProcess) this.#lookForChanges();
    return this.#position;
  }

  /**
   * Called once at the start. Until then, waiting for other processes is SQLite's own and blocks this whole process;
   * from then on it is asynchronous.
   */
  stopBlocking(): void {
    this.#connection.pragma('busy_timeout = 0');
  }

  /** Waits for work under way, then closes. */
  async close(): Promise<void> {
    await this.#lastTask;
    this.#connection.close();
  }

  async #transact<T>(work: (transaction: Transaction<CatalogSchema>) => Promise<T>): Promise<T> {
    this.#presence?.require();
    const result = await this.#tables.transaction().execute(work);
    // Checked afterwards too: commits to a removed file must not be acknowledged.
    this.#presence?.require();
    return result;
  }

  /** A failure changes nothing, and the next call checks again. */
  #lookForChanges(): void {
    const writes = writesInProcess;
    // The order matters: a commit between the two reads is in this counter and in the data version of the next check.
    const dataVersion = this.#unlessBusy(this.#dataVersion);
    const isUnchanged =
      dataVersion !== undefined && dataVersion === this.#seen?.dataVersion && writes === this.#seen.writes;
    if (!isUnchanged) this.#compareChanges(dataVersion, writes);
    if (this.#lookedAtWrites === undefined) setImmediate(() => (this.#lookedAtWrites = undefined));
    this.#lookedAtWrites = writes;
  }

  /**
   * There was a write: the counter says whether it changed cached records. If the counter is unknown, assume it did.
   */
  #compareChanges(dataVersion: number | undefined, writes: number): void {
    const changes = this.#countChanges();
    if (changes === undefined || changes !== this.#seen?.changes) this.#position += 1;
    this.#seen = { dataVersion, writes, changes };
  }

  /**
   * The number of changes; undefined while our own transaction is open: its count may be rolled back, and then be
   * counted a second time.
   */
  #countChanges(): number | undefined {
    if (this.#connection.inTransaction) return undefined;
    const text = "select value from counters where name = 'changes'";
    this.#changeCounter ??= this.#connection.prepare<[], number>(text).pluck();
    return this.#unlessBusy(this.#changeCounter);
  }

  /** The answer of the statement; undefined while another process recovers or closes the file. */
  #unlessBusy(statement: Sqlite.Statement<[], number>): number | undefined {
    try {
      return statement.get();
    } catch (thrown) {
      if (isBusy(thrown)) return undefined;
      throw translate(thrown);
    }
  }

  /** Retries, without blocking, while another process holds the lock. Others take their turn in the pauses. */
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

  /**
   * Waits, and keeps the process alive: a clock's timers do not, but a starting process may have nothing else to wait
   * for yet.
   */
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
