import { createReadStream, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import type { CatalogSnapshot, CatalogSnapshots, SnapshotContent, SnapshotMaterial } from '../backup/ports.js';
import { storageError } from './archive-folder.js';
import { copyCatalog, requireSound } from './backup-catalog.js';
import { PartialFile } from './partial-file.js';
import { canaryOf } from './rows.js';
import type { KeyRow, MaterialRow } from './schema.js';

const chunkBytes = 256 * 1024;
/** Snapshots have this name, made partial: what a crash leaves is removed by the next one. */
const snapshotName = 'catalog.snapshot';

/** Materials that members should have: not destroyed, nor about to be. */
const kept = "m.destroyed_date is null and k.state not in ('Deleting', 'Deleted')";
const joined = `from materials m join keys k
   on k.account = m.account and k.region = m.region and k.key_id = m.key_id where ${kept}`;

/** Snapshots of the catalog in a file, in the folder of backups: it has room for an archive, which is larger. */
export function catalogSnapshots(catalogPath: string, folder: string): CatalogSnapshots {
  return {
    async take() {
      const path = newSnapshot(folder);
      try {
        await copyCatalog(catalogPath, path, () => undefined);
        return new FileSnapshot(path);
      } catch (error) {
        removeFiles(path);
        throw storageError(folder, error);
      }
    },
  };
}

/** A file for a copy of a catalog. @throws BackupStorageError */
export function newSnapshot(folder: string): string {
  try {
    return new PartialFile(join(folder, snapshotName)).path;
  } catch (error) {
    throw storageError(folder, error);
  }
}

/** Removes it, and what SQLite has made beside it. */
export function removeFiles(path: string): void {
  for (const end of ['', '-journal', '-wal', '-shm']) rmSync(path + end, { force: true });
}

type JoinedRow = MaterialRow & Pick<KeyRow, 'key_spec' | 'key_usage'>;

class FileSnapshot implements CatalogSnapshot {
  readonly content: SnapshotContent;
  readonly #path: string;
  readonly #connection: Sqlite.Database;

  constructor(path: string) {
    this.#path = path;
    this.#connection = new Sqlite(path, { fileMustExist: true });
    // Everything is in one file then: what is read is what is archived.
    this.#connection.pragma('journal_mode = DELETE');
    // A backup of a damaged catalog would be refused on the day that it is needed.
    requireSound(this.#connection, path);
    this.content = snapshotContent(this.#connection, path);
  }

  async *bytes(): AsyncGenerator<Uint8Array> {
    for await (const chunk of createReadStream(this.#path, { highWaterMark: chunkBytes })) yield chunk as Uint8Array;
  }

  materials(clusterId: string, afterMaterialId: string | undefined, limit: number): SnapshotMaterial[] {
    const rows = this.#connection
      .prepare<unknown[], JoinedRow>(
        `select m.*, k.key_spec, k.key_usage ${joined} and m.cluster_id = ? and m.material_id > ?
         order by m.material_id limit ?`,
      )
      .all(clusterId, afterMaterialId ?? '', limit);
    return rows.map(materialOf);
  }

  discard(): void {
    this.#connection.close();
    removeFiles(this.#path);
  }
}

/** What a sound catalog has. */
export function snapshotContent(connection: Sqlite.Database, path: string): SnapshotContent {
  const value = (query: string): unknown => connection.prepare(query).pluck().get();
  return {
    incarnationId: String(value('select incarnation_id from catalog_metadata')),
    schemaVersion: Number(value('select schema_version from catalog_metadata')),
    bytes: statSync(path).size,
    keys: Number(value("select count(*) from keys where state <> 'Deleted'")),
    tombstones: Number(value("select count(*) from keys where state = 'Deleted'")),
    clusters: connection
      .prepare<unknown[], { clusterId: string; materials: number }>(
        `select m.cluster_id as clusterId, count(*) as materials ${joined} group by m.cluster_id order by m.cluster_id`,
      )
      .all(),
  };
}

function materialOf(row: JoinedRow): SnapshotMaterial {
  return {
    materialId: row.material_id,
    clusterId: row.cluster_id,
    account: row.account,
    region: row.region,
    keyId: row.key_id,
    keySpec: row.key_spec,
    keyUsage: row.key_usage,
    label: row.label,
    extractable: row.extractable === 1,
    canary: canaryOf(row),
    creationDate: new Date(row.creation_date),
  };
}
