import type { BackupCatalog, BackupRecord } from '../backup/backup-record.js';
import type { CatalogDatabase } from './database.js';
import type { BackupRow } from './schema.js';

/** The catalog's record of backups. The read cache does not keep it. */
export function backupRecords(database: CatalogDatabase): BackupCatalog {
  return {
    async recordBackup(record) {
      const { backup_id: backupId, ...values } = rowOf(record);
      await database.write((transaction) =>
        transaction
          .insertInto('backups')
          .values({ backup_id: backupId, ...values })
          .onConflict((conflict) => conflict.column('backup_id').doUpdateSet(values))
          .execute(),
      );
    },
    async findBackup(backupId) {
      const row = await database.read((tables) =>
        tables.selectFrom('backups').selectAll().where('backup_id', '=', backupId).executeTakeFirst(),
      );
      return row && recordOf(row);
    },
    async listBackups() {
      const rows = await database.read((tables) =>
        tables.selectFrom('backups').selectAll().orderBy('start_date', 'desc').orderBy('backup_id').execute(),
      );
      return rows.map(recordOf);
    },
  };
}

function rowOf(record: BackupRecord): BackupRow {
  return {
    backup_id: record.backupId,
    file_name: record.fileName,
    trigger_name: record.trigger,
    state: record.state,
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
  };
}

function recordOf(row: BackupRow): BackupRecord {
  return {
    backupId: row.backup_id,
    fileName: row.file_name,
    trigger: row.trigger_name,
    state: row.state,
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
  };
}

function dateOf(milliseconds: number | null): Date | null {
  return milliseconds === null ? null : new Date(milliseconds);
}
