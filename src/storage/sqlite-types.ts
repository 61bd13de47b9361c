import { sql } from 'kysely';
import type { ColumnTypes } from './schema.js';

/** How SQLite declares columns and tables. */
export const columnTypes: ColumnTypes = {
  text: sql`text`,
  integer: sql`integer`,
  bytes: sql`blob`,
  tableOptions: sql`strict`,
};
