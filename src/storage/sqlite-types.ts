import { sql } from 'kysely';
import type { ColumnTypes } from './schema.js';

/** SQLite's declarations of columns and tables. */
export const columnTypes: ColumnTypes = {
  text: sql`text`,
  integer: sql`integer`,
  bytes: sql`blob`,
  tableOptions: sql`strict`,
  triggersOnChange: (table, statement) =>
    ['insert', 'update', 'delete'].map(
      (event) =>
        sql`create trigger ${sql.id(`${table}_${event}_changes`)} after ${sql.raw(event)} on ${sql.table(table)}
          begin ${statement}; end`,
    ),
};
