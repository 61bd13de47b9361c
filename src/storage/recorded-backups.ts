import Sqlite from 'better-sqlite3';

/** The newest backups that a catalog knows, without a server. */
export interface RecordedBackups {
  /** When the newest archive with every key began, if its file should be there. */
  completeDate: Date | undefined;
  /** The outcome of its last verification, and when that was. */
  verification: string | null;
  verifiedDate: Date | undefined;
  /** Why the newest backup failed, if it did. */
  lastFailure: string | undefined;
}

interface Row {
  state: string;
  startDate: number;
  failure: string | null;
  verification: string | null;
  verifiedDate: number | null;
}

/** Reads a sound catalog, through a read-only connection. Undefined for one that is older than backups. */
export function readRecordedBackups(file: string): RecordedBackups | undefined {
  const connection = new Sqlite(file, { readonly: true, fileMustExist: true });
  try {
    const table = connection.prepare("select 1 from sqlite_schema where type = 'table' and name = 'backups'").get();
    if (table === undefined) return undefined;
    const newest = (condition: string): Row | undefined =>
      connection
        .prepare<[], Row>(
          `select state, start_date as startDate, failure, verification, verification_date as verifiedDate
           from backups where ${condition} order by start_date desc limit 1`,
        )
        .get();
    const complete = newest("state = 'COMPLETE' and removed_date is null");
    const last = newest("state <> 'RUNNING'");
    const verifiedDate = complete?.verifiedDate ?? null;
    return {
      completeDate: complete && new Date(complete.startDate),
      verification: complete?.verification ?? null,
      verifiedDate: verifiedDate === null ? undefined : new Date(verifiedDate),
      lastFailure: last?.state === 'FAILED' ? (last.failure ?? 'for an unknown reason') : undefined,
    };
  } finally {
    connection.close();
  }
}
