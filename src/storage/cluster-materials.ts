import type { Kysely } from 'kysely';
import type { KeyCatalog } from '../keys/catalog.js';
import type { MaterialRecord } from '../keys/key.js';
import type { CatalogDatabase } from './database.js';
import { materialRecord } from './rows.js';
import type { CatalogSchema } from './schema.js';

type ClusterMaterials = Pick<KeyCatalog, 'listMaterialsOfCluster' | 'isMaterialKept'>;

/** The materials that belong on the members of a cluster. */
export function clusterMaterials(database: CatalogDatabase): ClusterMaterials {
  return {
    listMaterialsOfCluster: (clusterId, afterMaterialId, limit) =>
      listMaterialsOfCluster(database, clusterId, afterMaterialId, limit),
    isMaterialKept: (materialId) => isMaterialKept(database, materialId),
  };
}

/** The materials of keys that are not being deleted. */
const keptMaterials = (tables: Kysely<CatalogSchema>) =>
  tables
    .selectFrom('materials')
    .innerJoin('keys', (join) =>
      join
        .onRef('keys.account', '=', 'materials.account')
        .onRef('keys.region', '=', 'materials.region')
        .onRef('keys.key_id', '=', 'materials.key_id'),
    )
    .where('keys.state', 'not in', ['Deleting', 'Deleted'])
    .where('materials.destroyed_date', 'is', null);

async function listMaterialsOfCluster(
  database: CatalogDatabase,
  clusterId: string,
  afterMaterialId: string | undefined,
  limit: number,
): Promise<MaterialRecord[]> {
  const rows = await database.read((tables) =>
    keptMaterials(tables)
      .selectAll('materials')
      .where('materials.cluster_id', '=', clusterId)
      .$if(afterMaterialId !== undefined, (query) => query.where('materials.material_id', '>', afterMaterialId ?? ''))
      .orderBy('materials.material_id')
      .limit(limit)
      .execute(),
  );
  return rows.map(materialRecord);
}

async function isMaterialKept(database: CatalogDatabase, materialId: string): Promise<boolean> {
  const row = await database.read((tables) =>
    keptMaterials(tables)
      .select('materials.material_id')
      .where('materials.material_id', '=', materialId)
      .executeTakeFirst(),
  );
  return row !== undefined;
}
