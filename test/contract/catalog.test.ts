import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/clock-system.js';
import type { SqliteCatalog } from '../../src/storage/sqlite.js';
import { openTestCatalog } from '../catalog-file.js';
import { catalogContract, type OpenedCatalog } from './catalog.contract.js';

async function openInTemporaryFolder(cachedRecords: number): Promise<OpenedCatalog> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-catalog-'));
  const opened: SqliteCatalog[] = [];
  const another = async (): Promise<SqliteCatalog> => {
    const catalog = await openTestCatalog({ path: join(folder, 'catalog.db'), clock: systemClock, cachedRecords });
    opened.push(catalog);
    return catalog;
  };
  const dispose = async (): Promise<void> => {
    for (const catalog of opened) await catalog.close();
    rmSync(folder, { recursive: true });
  };
  return { catalog: await another(), another, dispose };
}

catalogContract('the SQLite catalog', () => openInTemporaryFolder(0));
catalogContract('the SQLite catalog behind its read cache', () => openInTemporaryFolder(1_000));
