import { type Expression, type ExpressionBuilder, type SqlBool } from 'kysely';
import type { BackupCatalog, BackupRecord } from '../backup/backup-record.js';
import type { CatalogDatabase } from './database.js';
import type { BackupRow, CatalogSchema } from './schema.js';

/** The catalog's record of backups. The read cache does not keep it. */
export function backupRecords(database: CatalogDatabase): BackupCatalog {
  const list = async (condition: (of: Backups) => Expression<SqlBool>, limit?: number): Promise<BackupRecord[]> => {
    const rows = await database.read((tables) => {
      const found = tables.selectFrom('backups').selectAll().where(condition);
      const newestFirst = found.orderBy('start_date', 'desc').orderBy('backup_id');
      return (limit === undefined ? newestFirst : newestFirst.limit(limit)).execute();
    });
    return rows.map(recordOf);
  };
  return {
    async recordBackup(record) {
      const { backup_id: backupId, copied_date: copied, ...values } = rowOf(record);
      await database.write((transaction) =>
        transaction
          .insertInto('backups')
          .values({ backup_id: backupId, copied_date: copied, ...values })
          .onConflict((conflict) => conflict.column('backup_id').doUpdateSet(values))
          .execute(),
      );
    },
    async recordBackupCopy(backupId, date) {
      await database.write((transaction) =>
        transaction
          .updateTable('backups')
          .set({ copied_date: date.getTime() })
          .where('backup_id', '=', backupId)
          .where('copied_date', 'is', null)
          .execute(),
      );
    },
    async findBackup(backupId) {
      const [found] = await list((of) => of('backup_id', '=', backupId));
      return found;
    },
    listBackups(after, limit) {
      if (after === undefined) return list((of) => of.lit(true), limit);
      const startMs = after.startTime.getTime();
      const isAfter = (of: Backups) =>
        of.or([
          of('start_date', '<', startMs),
          of.and([of('start_date', '=', startMs), of('backup_id', '>', after.backupId)]),
        ]);
      return list(isAfter, limit);
    },
    listCurrentBackups: () => list(isCurrent),
    listRetainingBackups: () => list(isRetaining),
  };
}

type Backups = ExpressionBuilder<CatalogSchema, 'backups'>;

function isCurrent(of: Backups): Expression<SqlBool> {
  const newest = (condition: Expression<SqlBool>): Expression<SqlBool> =>
    of('backup_id', 'in', (inner) =>
      inner.selectFrom('backups').select('backup_id').where(condition).orderBy('start_date', 'desc').limit(1),
    );
  const isThere = of.and([mayHaveArchive(of), of('removed_date', 'is', null), of('gone_date', 'is', null)]);
  const isOver = of.and([of('state', '<>', 'RUNNING'), of('unknown_since_date', 'is', null)]);
  return of.or([isThere, newest(isOver), newest(of('trigger_name', '=', 'SCHEDULE'))]);
}

function isRetaining(of: Backups): Expression<SqlBool> {
  const isNotRemoved = of.or([of('removed_date', 'is', null), of('copied_date', 'is not', null)]);
  return of.and([mayHaveArchive(of), of('gone_date', 'is', null), isNotRemoved]);
}

/** As the states of records: one that is unknown is written as failed. */
function mayHaveArchive(of: Backups): Expression<SqlBool> {
  return of.or([of('state', '<>', 'FAILED'), of('unknown_since_date', 'is not', null)]);
}

function rowOf(record: BackupRecord): BackupRow {
  return {
    backup_id: record.backupId,
    file_name: record.fileName,
    trigger_name: record.trigger,
    state: record.state === 'UNKNOWN' ? 'FAILED' : record.state,
    start_date: record.startTime.getTime(),
    end_date: record.endTime?.getTime() ?? null,
    size_bytes: record.sizeBytes,
    key_materials: record.keyMaterials,
    absent_key_materials: record.absentKeyMaterials,
    generations: JSON.stringify(record.generations),
    failure: record.failure,
    verification: record.verification,
    verification_date: record.verificationTime?.getTime() ?? null,
    verification_failure: record.verificationFailure,
    removed_date: record.removedTime?.getTime() ?? null,
    copied_date: record.copiedTime?.getTime() ?? null,
    gone_date: record.goneTime?.getTime() ?? null,
    unknown_since_date: record.unknownSince?.getTime() ?? null,
  };
}

function recordOf(row: BackupRow): BackupRecord {
  return {
    backupId: row.backup_id,
    fileName: row.file_name,
    trigger: row.trigger_name,
    state: row.unknown_since_date === null ? row.state : 'UNKNOWN',
    startTime: new Date(row.start_date),
    endTime: dateOf(row.end_date),
    sizeBytes: row.size_bytes,
    keyMaterials: row.key_materials,
    absentKeyMaterials: row.absent_key_materials,
    generations: JSON.parse(row.generations) as BackupRecord['generations'],
    failure: row.failure,
    verification: row.verification,
    verificationTime: dateOf(row.verification_date),
    verificationFailure: row.verification_failure,
    removedTime: dateOf(row.removed_date),
    copiedTime: dateOf(row.copied_date),
    goneTime: dateOf(row.gone_date),
    unknownSince: dateOf(row.unknown_since_date),
  };
}

function dateOf(milliseconds: number | null): Date | null {
  return milliseconds === null ? null : new Date(milliseconds);
}
