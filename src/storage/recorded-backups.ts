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
  /** Archives whose file should be in the folder and is not, or has another length. */
  absent: number;
}

interface Row {
  state: string;
  fileName: string;
  sizeBytes: number | null;
  startDate: number;
  failure: string | null;
  verification: string | null;
  verifiedDate: number | null;
}

/**
 * Reads a sound catalog, through a read-only connection. Undefined for one that is older than backups.
 * @param files what is in the folder of backups, by name
 */
export function readRecordedBackups(
  file: string,
  files: ReadonlyMap<string, { sizeBytes: number; isLink: boolean }>,
): RecordedBackups | undefined {
  const connection = new Sqlite(file, { readonly: true, fileMustExist: true });
  try {
    const table = connection.prepare("select 1 from sqlite_schema where type = 'table' and name = 'backups'").get();
    if (table === undefined) return undefined;
    const newestFirst = (condition: string, limit = -1): Row[] =>
      connection
        .prepare<[number], Row>(
          `select state, file_name as fileName, size_bytes as sizeBytes, start_date as startDate, failure, verification,
           verification_date as verifiedDate from backups where ${condition} order by start_date desc limit ?`,
        )
        .all(limit);
    const recorded = newestFirst("state in ('COMPLETE', 'INCOMPLETE') and removed_date is null");
    const present = recorded.filter(({ fileName, sizeBytes }) => {
      const found = files.get(fileName);
      return found !== undefined && !found.isLink && found.sizeBytes === sizeBytes;
    });
    const complete = present.find(({ state }) => state === 'COMPLETE');
    // One that a restored catalog does not know is no failure.
    const [last] = newestFirst("state <> 'RUNNING' and file_name <> ''", 1);
    const verifiedDate = complete?.verifiedDate ?? null;
    return {
      completeDate: complete && new Date(complete.startDate),
      verification: complete?.verification ?? null,
      verifiedDate: verifiedDate === null ? undefined : new Date(verifiedDate),
      lastFailure: last?.state === 'FAILED' ? (last.failure ?? 'for an unknown reason') : undefined,
      absent: recorded.length - present.length,
    };
  } finally {
    connection.close();
  }
}
