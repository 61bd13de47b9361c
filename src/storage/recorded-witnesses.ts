import Sqlite from 'better-sqlite3';
import type { FoundRollback, MemberWitness } from '../clusters/witness-catalog.js';

/** What a catalog knows of its witnesses, without an HSM. */
export interface RecordedWitnesses {
  epoch: number;
  rollback: FoundRollback | undefined;
  members: MemberWitness[];
}

/** Reads a sound catalog, through a read-only connection. Undefined for one that is older than witnesses. */
export function readRecordedWitnesses(file: string): RecordedWitnesses | undefined {
  const connection = new Sqlite(file, { readonly: true, fileMustExist: true });
  try {
    const table = connection
      .prepare("select 1 from sqlite_schema where type = 'table' and name = 'catalog_epoch'")
      .get();
    if (table === undefined) return undefined;
    const { epoch, date, message } = connection
      .prepare('select epoch, rollback_date as date, rollback_message as message from catalog_epoch')
      .get() as { epoch: number; date: number | null; message: string | null };
    const rollback = date === null ? undefined : { foundDate: new Date(date), message: message ?? '' };
    const rows = connection
      .prepare(
        'select cluster_id as clusterId, member_name as memberName, epoch, written_date as date from member_witnesses',
      )
      .all() as (Omit<MemberWitness, 'writtenDate'> & { date: number })[];
    const members = rows.map(({ date: written, ...row }) => ({ ...row, writtenDate: new Date(written) }));
    return { epoch, rollback, members };
  } finally {
    connection.close();
  }
}
