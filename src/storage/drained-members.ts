import type { MaintenanceCatalog } from '../clusters/maintenance.js';
import type { CatalogDatabase } from './database.js';

/** The catalog's record of maintenance. The read cache does not keep it. */
export function drainedMembers(database: CatalogDatabase): MaintenanceCatalog {
  return {
    async listDrainedMembers() {
      const rows = await database.read((tables) =>
        tables.selectFrom('drained_members').selectAll().orderBy('cluster_id').orderBy('member_name').execute(),
      );
      return rows.map((row) => ({
        clusterId: row.cluster_id,
        memberName: row.member_name,
        drainedDate: new Date(row.drained_date),
      }));
    },
    async recordDrainedMember({ clusterId, memberName, drainedDate }) {
      const row = { cluster_id: clusterId, member_name: memberName, drained_date: drainedDate.getTime() };
      await database.write((transaction) =>
        transaction
          .insertInto('drained_members')
          .values(row)
          .onConflict((conflict) => conflict.columns(['cluster_id', 'member_name']).doNothing())
          .execute(),
      );
    },
    async forgetDrainedMember(clusterId, memberName) {
      await database.write((transaction) =>
        transaction
          .deleteFrom('drained_members')
          .where('cluster_id', '=', clusterId)
          .where('member_name', '=', memberName)
          .execute(),
      );
    },
  };
}
