import { resolve } from 'node:path';
import Sqlite from 'better-sqlite3';
import type { Clock } from '../clock.js';
import { type CatalogOwner, catalogProblem, requireNone } from './catalog-problem.js';
import { requireOwnSchema } from './own-schema.js';
import { openConnection } from './sqlite-connection.js';
import type { IntentRow, KeyRow, MaterialRow } from './schema.js';

const busyTimeoutMs = 1_000;

/** The deletions that a catalog records: begun, or done. */
interface Tombstones {
  keys: KeyRow[];
  materials: MaterialRow[];
  intents: IntentRow[];
  /** Encryptions that were reserved under each material. */
  counts: object[];
  /** What a report of a deletion must name. */
  backups: { state: string; start_date: number; removed_date: number | null; copied_date?: number | null }[];
  /** Its incarnation, and those that it follows. */
  incarnationIds: string[];
  /** When it was surely in use, as of the epoch before its last one; 0 if it does not say. */
  lastUseMs: number;
}

/**
 * Writes the deletions of a newer catalog, which was moved away, into a restored one: its deleted keys are deleted there too, and
 * destroyed material that turns up on a token is destroyed again. The restored catalog follows the newer one: the
 * witnesses of its members are no rollback.
 * @returns how many keys it records as deleted
 * @throws CatalogOpenError if the newer one cannot be read, or has another owner
 */
export async function mergeTombstones(
  restored: string,
  newer: string,
  { owner, clock }: { owner: CatalogOwner; clock: Clock },
): Promise<number> {
  const file = resolve(newer);
  await requireOwnSchema(file, clock);
  requireNone(catalogProblem(file, owner, busyTimeoutMs));
  const tombstones = readTombstones(file);
  const connection = openConnection(restored, busyTimeoutMs);
  try {
    connection.transaction(() => write(connection, tombstones, clock.now().getTime()))();
    connection.pragma('journal_mode = DELETE');
  } finally {
    connection.close();
  }
  return tombstones.keys.length;
}

function readTombstones(file: string): Tombstones {
  const connection = new Sqlite(file, { readonly: true, fileMustExist: true });
  const all = <Row>(query: string): Row[] => connection.prepare<[], Row>(query).all();
  const deleted = "state in ('Deleting', 'Deleted')";
  try {
    const tables = connection.prepare("select name from sqlite_schema where type = 'table'").pluck().all();
    const predecessors = tables.includes('catalog_predecessors')
      ? all<{ id: string }>('select incarnation_id as id from catalog_predecessors')
      : [];
    const [seen] = all<{ ms: number }>('select last_seen_date as ms from time_record');
    const [, before] = tables.includes('catalog_epochs')
      ? all<{ ms: number }>('select raised_date as ms from catalog_epochs order by epoch desc limit 2')
      : [];
    const own = all<{ id: string }>('select incarnation_id as id from catalog_metadata');
    return {
      keys: all(`select * from keys where ${deleted}`),
      materials: all(
        `select materials.* from materials join keys using (account, region, key_id) where keys.${deleted}`,
      ),
      intents: all("select * from intents where state = 'destroyed'"),
      counts: all('select material_id, reserved_encryptions from encryption_reservations'),
      backups: tables.includes('backups') ? all('select * from backups') : [],
      incarnationIds: [...own, ...predecessors].map(({ id }) => id),
      lastUseMs: Math.min(seen?.ms ?? 0, before?.ms ?? 0),
    };
  } finally {
    connection.close();
  }
}

function write(connection: Sqlite.Database, newer: Tombstones, nowMs: number): void {
  const { keys, materials, intents, counts } = newer;
  connection.pragma('defer_foreign_keys = on');
  const dropAliases = connection.prepare(
    'delete from aliases where account = @account and region = @region and target_key_id = @key_id',
  );
  for (const key of keys) {
    dropAliases.run(key);
    put(connection, 'keys', key, ['account', 'region', 'key_id'], ['state', 'deletion_date']);
  }
  for (const material of materials) put(connection, 'materials', material, ['material_id'], ['destroyed_date']);
  for (const intent of intents) put(connection, 'intents', intent, ['material_id'], ['state']);
  mergeBackups(connection, newer, nowMs);
  // Counts never fall (invariant 9), and the newer catalog knows them.
  const raise = connection.prepare(
    `update encryption_reservations set reserved_encryptions = max(reserved_encryptions, @reserved_encryptions)
     where material_id = @material_id`,
  );
  for (const count of counts) raise.run(count);
  const follow = connection.prepare('insert or ignore into catalog_predecessors (incarnation_id) values (?)');
  for (const id of newer.incarnationIds) follow.run(id);
}

/** The columns that a catalog of schema 9 or 10 does not have. */
const noCopies = { copied_date: null as number | null, gone_date: null, unknown_since_date: null };

/**
 * The restored catalog says that archives may exist which it does not know. A newer catalog of the same line knows those that
 * were begun until it was last in use. It may be a copy itself, so that later ones stay unknown, and anybody may have read since what it
 * has in the folder. What was under way in it is unknown even so.
 */
function mergeBackups(
  connection: Sqlite.Database,
  { incarnationIds, lastUseMs, backups }: Tombstones,
  nowMs: number,
): void {
  const followed = connection.prepare('select incarnation_id from catalog_predecessors').pluck().all();
  const shortenGap = connection.prepare(
    `update backups set unknown_since_date = min(start_date, @lastUseMs)
     where file_name = '' and gone_date is null and unknown_since_date < @lastUseMs`,
  );
  const isOfLine = followed.some((id) => incarnationIds.includes(String(id)));
  const isNewer = isOfLine && shortenGap.run({ lastUseMs }).changes > 0;
  for (const backup of backups) {
    const cut = backup.state === 'RUNNING' ? { state: 'FAILED', unknown_since_date: backup.start_date } : {};
    const row = { ...noCopies, ...backup, ...cut };
    if (row.state !== 'FAILED' && row.removed_date === null) row.copied_date ??= nowMs;
    put(connection, 'backups', row, ['backup_id'], isNewer ? Object.keys(row) : ['backup_id']);
  }
}

/** Inserts a row, or changes these columns of the one that is there. The column names are those of our own tables. */
function put(connection: Sqlite.Database, table: string, row: object, key: string[], changed: string[]): void {
  const columns = Object.keys(row);
  const values = columns.map((column) => `@${column}`).join(', ');
  const changes = changed.map((column) => `${column} = excluded.${column}`).join(', ');
  connection
    .prepare(
      `insert into ${table} (${columns.join(', ')}) values (${values}) on conflict (${key.join(', ')}) do update set ${changes}`,
    )
    .run(row);
}
