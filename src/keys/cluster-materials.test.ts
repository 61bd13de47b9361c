import { expect, test } from 'vitest';
import { expectedMaterials } from './cluster-materials.js';
import type { MaterialRecord } from './key.js';

const ids = Array.from({ length: 1_001 }, (_, index) => index.toString(16).padStart(64, '0'));
const reported: string[] = [];
const report = (_error: unknown, what: string): void => void reported.push(what);

test('lists the materials of all pages', async () => {
  const pages: (string | undefined)[] = [];
  const catalog = {
    listMaterialsOfCluster: (clusterId: string, after: string | undefined, limit: number) => {
      pages.push(after);
      const rest = ids.filter((id) => clusterId === 'c' && (after === undefined || id > after));
      return Promise.resolve(rest.slice(0, limit).map((materialId) => ({ materialId }) as MaterialRecord));
    },
  };
  expect(await expectedMaterials(catalog, report).idsOf('c')).toEqual(ids);
  expect(await expectedMaterials(catalog, report).idsOf('another')).toEqual([]);
  expect([pages.length, reported]).toEqual([4, []]);
});

test('a catalog that cannot be read keeps no member from serving', async () => {
  const catalog = { listMaterialsOfCluster: () => Promise.reject(new Error('the disk')) };
  expect(await expectedMaterials(catalog, report).idsOf('c')).toEqual([]);
  expect(reported).toEqual(['listing the key materials of cluster c']);
});
