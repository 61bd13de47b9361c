import type { ExpectedMaterials } from '../clusters/expected-materials.js';
import type { KeyCatalog } from './catalog.js';
import type { BackgroundErrorListener } from './core.js';
import type { MaterialRecord } from './key.js';

const pageSize = 500;

/** The materials that every member of a cluster should have, page by page, in ascending order of id. */
export async function* materialsOfCluster(
  catalog: Pick<KeyCatalog, 'listMaterialsOfCluster'>,
  clusterId: string,
): AsyncGenerator<MaterialRecord> {
  let page: MaterialRecord[];
  let after: string | undefined;
  do {
    page = await catalog.listMaterialsOfCluster(clusterId, after, pageSize);
    yield* page;
    after = page.at(-1)?.materialId;
  } while (page.length === pageSize);
}

/** The catalog's answer to a cluster that compares its members' inventories. */
export function expectedMaterials(
  catalog: Pick<KeyCatalog, 'listMaterialsOfCluster'>,
  onBackgroundError: BackgroundErrorListener,
): ExpectedMaterials {
  return {
    async idsOf(clusterId) {
      try {
        const ids: string[] = [];
        for await (const { materialId } of materialsOfCluster(catalog, clusterId)) ids.push(materialId);
        return ids;
      } catch (error) {
        onBackgroundError(error, `listing the key materials of cluster ${clusterId}`);
        return [];
      }
    },
  };
}
