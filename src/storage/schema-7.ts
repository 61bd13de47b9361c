import type { Transaction } from 'kysely';
import type { CatalogSchema, ColumnTypes } from './schema.js';

/** Migration 7: the load of clusters. A binary that knows schema 6 records none, which leaves days out. */
export async function createClusterLoads({ schema }: Transaction<CatalogSchema>, types: ColumnTypes): Promise<void> {
  await schema
    .createTable('cluster_loads')
    .addColumn('cluster_id', types.text, (column) => column.notNull())
    .addColumn('process_name', types.text, (column) => column.notNull())
    .addColumn('recorded_date', types.integer, (column) => column.notNull())
    .addColumn('milli_operations', types.integer, (column) => column.notNull())
    .addColumn('milli_ceiling', types.integer)
    .addPrimaryKeyConstraint('cluster_loads_place', ['cluster_id', 'process_name'])
    .modifyEnd(types.tableOptions)
    .execute();
  await schema
    .createTable('cluster_daily_peaks')
    .addColumn('cluster_id', types.text, (column) => column.notNull())
    .addColumn('day', types.text, (column) => column.notNull())
    .addColumn('milli_operations', types.integer, (column) => column.notNull())
    .addColumn('milli_ceiling', types.integer)
    .addPrimaryKeyConstraint('cluster_daily_peaks_place', ['cluster_id', 'day'])
    .modifyEnd(types.tableOptions)
    .execute();
}
