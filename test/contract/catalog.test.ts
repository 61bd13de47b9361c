import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../src/clock.js';
import { systemClock } from '../../src/clock-system.js';
import type { SqliteCatalog } from '../../src/storage/sqlite.js';
import { openTestCatalog } from '../catalog-file.js';
import { movedBoot } from '../moved-boot.js';
import { catalogContract, type OpenedCatalog } from './catalog.contract.js';

async function openInTemporaryFolder(cachedRecords: number): Promise<OpenedCatalog> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-catalog-'));
  const opened: SqliteCatalog[] = [];
  const moved = { ranMs: 0, wallMs: 0 };
  const clock: Clock = {
    ...systemClock,
    now: () => new Date(Date.now() + moved.wallMs),
    monotonicMs: () => systemClock.monotonicMs() + moved.ranMs,
    boot: () => movedBoot(moved.ranMs),
  };
  const passTime = (ms: number): Promise<void> => Promise.resolve(void (moved.ranMs += ms));
  const stepWallClock = (ms: number): void => void (moved.wallMs += ms);
  const another = async (): Promise<SqliteCatalog> => {
    const catalog = await openTestCatalog({ path: join(folder, 'catalog.db'), clock, cachedRecords });
    opened.push(catalog);
    return catalog;
  };
  const dispose = async (): Promise<void> => {
    for (const catalog of opened) await catalog.close();
    rmSync(folder, { recursive: true });
  };
  return { catalog: await another(), another, passTime, stepWallClock, dispose };
}

catalogContract('the SQLite catalog', () => openInTemporaryFolder(0));
catalogContract('the SQLite catalog behind its read cache', () => openInTemporaryFolder(1_000));
