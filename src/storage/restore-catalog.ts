import { closeSync, fstatSync, lstatSync, openSync, readSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Transaction } from 'kysely';
import type { Clock } from '../clock.js';
import { adaptRestored, type RestoredCounts } from './adapt-restored.js';
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
import { mergeTombstones } from './merge-tombstones.js';
import { migrate } from './migrations.js';
import { requireOwnSchema } from './own-schema.js';
import type { CatalogSchema } from './schema.js';
import { openConnection } from './sqlite-connection.js';
import { SqliteCatalogDatabase } from './sqlite-database.js';
import { columnTypes } from './sqlite-types.js';

/** The effects of a restore besides copying. */
export type RestoredCatalog = CatalogContent & RestoredCounts;

/** Those of a restore that may take over the deletions of a newer catalog. */
export type MergedCatalog = RestoredCatalog & {
  /** Keys that the newer one records as deleted. */
  mergedTombstones: number;
};

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
  /** A newer catalog whose deletions are taken over; left out: none. */
  tombstonesOf?: string | undefined;
}

/**
 * Restores a missing catalog from a backup. It appears complete and checked, or not at all, and replaces nothing. The
 * counts of encryptions are raised in it, deletions are held (it does not know which were cancelled since), and it is a new
 * incarnation, which follows that of the backup.
 * @throws CatalogOpenError also while a process uses the catalog of that name
 */
export async function restoreCatalog(options: RestoreOptions): Promise<MergedCatalog> {
  const [source, target] = [resolve(options.source), resolve(options.target)];
  requireFree(target);
  const claim = claimCatalog(target);
  try {
    return await withPartial(target, async (partial) => {
      copyFile(source, partial.path, options.onProgress);
      await requireOwnSchema(partial.path, options.clock, source);
      const problem = catalogProblem(partial.path, options.owner, busyTimeoutMs);
      requireNone(problem && { ...problem, message: problem.message.replaceAll(partial.path, source) });
      const restored = await prepareRestored(partial.path, options.clock);
      const { tombstonesOf } = options;
      const mergedTombstones =
        tombstonesOf === undefined ? 0 : await mergeTombstones(partial.path, tombstonesOf, options);
      requireFree(target);
      if (!partial.publish()) throw occupied(target);
      return { ...restored, mergedTombstones };
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

/** Makes a copy of a catalog, at this path, fit to be the catalog in use. @throws CatalogOpenError */
export async function prepareRestored(path: string, clock: Clock): Promise<RestoredCatalog> {
  const connection = openConnection(path, busyTimeoutMs);
  const database = new SqliteCatalogDatabase(connection, clock, busyTimeoutMs);
  try {
    await migrate(database, columnTypes);
    const done = await database.write((transaction) => adapt(transaction, clock));
    connection.pragma('journal_mode = DELETE');
    requireSound(connection, path);
    return { ...done, ...contentOf(connection, path) };
  } finally {
    await database.close();
  }
}

async function adapt(transaction: Transaction<CatalogSchema>, clock: Clock): Promise<RestoredCounts> {
  // No process uses a catalog that is being restored.
  await transaction.deleteFrom('leases').execute();
  return adaptRestored(transaction, [], clock);
}
