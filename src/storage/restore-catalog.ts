import { closeSync, fstatSync, lstatSync, openSync, readSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import type Sqlite from 'better-sqlite3';
import type { Clock } from '../clock.js';
import {
  type CatalogContent,
  contentOf,
  isTaken,
  type ProgressListener,
  requireSound,
  withPartial,
} from './backup-catalog.js';
import { type CatalogOwner, catalogProblem, placeProblem, requireNone } from './catalog-problem.js';
import { claimCatalog } from './catalog-use.js';
import { CatalogOpenError } from './database.js';
import { migrate } from './migrations.js';
import { openConnection } from './sqlite-connection.js';
import { SqliteCatalogDatabase } from './sqlite-database.js';
import { columnTypes } from './sqlite-types.js';

/** The effects of a restore besides copying. */
export interface RestoredCatalog extends CatalogContent {
  /** Key materials whose count of encryptions was raised. */
  raisedMaterials: number;
  /** Creates that were under way at the time of the backup: their outcome is unknown here. */
  forgottenIntents: number;
}

/**
 * Added to every count of encryptions: more than can have been made since any backup that is worth restoring (invariant
 * 9). 3,000 a second under one key, for a day.
 */
export const restoredEncryptions = 2 ** 28;

const busyTimeoutMs = 1_000;
const chunkBytes = 4 * 1024 * 1024;

/** The source and destination of a restore. */
export interface RestoreOptions {
  source: string;
  target: string;
  /** The owner that the backup must have. */
  owner: CatalogOwner;
  clock: Clock;
  onProgress: ProgressListener;
}

/**
 * Restores a missing catalog from a backup. It appears complete and checked, or not at all, and replaces nothing. The
 * counts of encryptions are raised in it, and deletions are held: it does not know which were cancelled since.
 * @throws CatalogOpenError also while a process uses the catalog of that name
 */
export async function restoreCatalog(options: RestoreOptions): Promise<RestoredCatalog> {
  const [source, target] = [resolve(options.source), resolve(options.target)];
  requireFree(target);
  const claim = claimCatalog(target);
  try {
    return await withPartial(target, async (partial) => {
      copyFile(source, partial.path, options.onProgress);
      const problem = catalogProblem(partial.path, options.owner, busyTimeoutMs);
      requireNone(problem && { ...problem, message: problem.message.replaceAll(partial.path, source) });
      const restored = await prepare(partial.path, options.clock);
      requireFree(target);
      if (!partial.publish()) throw occupied(target);
      return restored;
    });
  } finally {
    claim.release();
  }
}

function requireFree(target: string): void {
  if (isTaken(target)) throw occupied(target);
  requireNone(placeProblem(target));
}

function occupied(target: string): CatalogOpenError {
  return new CatalogOpenError(
    `There is something at ${target}, and nothing was changed. Stop the service, and move it and its -wal and -shm away: ` +
      'they may hold what the backup does not.',
  );
}

/** The file and nothing beside it: a catalog in use has its last changes in other files. */
function copyFile(source: string, target: string, onProgress: ProgressListener): void {
  const log = lstatSync(`${source}-wal`, { throwIfNoEntry: false });
  if (log !== undefined && log.size > 0) {
    throw new CatalogOpenError(
      `${source} has a write-ahead log beside it: it is a catalog in use, or was not closed, and no backup. Make one of it: holdfast catalog backup.`,
    );
  }
  const [from, to] = [openSync(source, 'r'), openSync(target, 'r+')];
  try {
    const { size } = fstatSync(from);
    const chunk = Buffer.alloc(chunkBytes);
    for (let copied = 0; ; ) {
      const count = readSync(from, chunk, 0, chunkBytes, copied);
      if (count === 0) return;
      writeWhole(to, chunk.subarray(0, count));
      copied += count;
      onProgress(copied / size);
    }
  } finally {
    closeSync(from);
    closeSync(to);
  }
}

function writeWhole(descriptor: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.byteLength; ) written += writeSync(descriptor, bytes, written);
}

async function prepare(path: string, clock: Clock): Promise<RestoredCatalog> {
  const connection = openConnection(path, busyTimeoutMs);
  const database = new SqliteCatalogDatabase(connection, clock, busyTimeoutMs);
  try {
    await migrate(database, columnTypes);
    const done = connection.transaction(() => adapt(connection, clock))();
    connection.pragma('journal_mode = DELETE');
    requireSound(connection, path);
    return { ...done, ...contentOf(connection, path) };
  } finally {
    await database.close();
  }
}

function adapt(connection: Sqlite.Database, clock: Clock): Omit<RestoredCatalog, keyof CatalogContent> {
  const raised = connection.prepare(
    `insert into encryption_reservations (material_id, reserved_encryptions)
     select material_id, @count from materials where destroyed_date is null
     on conflict (material_id) do update set reserved_encryptions = reserved_encryptions + @count`,
  );
  // Their creates may have succeeded since: as intents they would be cleaned up, and the keys' material with them.
  const forgotten = connection.prepare("delete from intents where state = 'open'");
  // No process uses a catalog that is being restored.
  connection.prepare('delete from leases').run();
  const { bootId, sinceBootMs } = clock.boot();
  const now = clock.now().getTime();
  connection.prepare('delete from time_record').run();
  connection
    .prepare(
      `insert into time_record (id, reference_date, reference_boot_id, reference_since_boot_ms, last_seen_date, hold_reason, hold_since_date)
       values (1, @now, @bootId, @sinceBootMs, @now, 'restored', @now)`,
    )
    .run({ now, bootId, sinceBootMs: Math.floor(sinceBootMs) });
  return {
    raisedMaterials: raised.run({ count: restoredEncryptions }).changes,
    forgottenIntents: forgotten.run().changes,
  };
}
