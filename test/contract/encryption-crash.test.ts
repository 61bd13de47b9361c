import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Sqlite from 'better-sqlite3';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock-system.js';
import { openTestCatalog } from '../catalog-file.js';
import { addKey } from './catalog-records.js';

const hooks = fileURLToPath(new URL('typescript-hooks.mjs', import.meta.url));
const spender = fileURLToPath(new URL('encryption-spender.ts', import.meta.url));
const block = 65_536;

/** Starts a process that spends encryptions, and kills it once it reports `atLeast`. @returns the number reported. */
async function spendUntilKilled(path: string, materialId: string, atLeast: number): Promise<number> {
  const child = fork(spender, [path, materialId], { execArgv: ['--import', hooks] });
  const ended = once(child, 'exit');
  let told = 0;
  child.on('message', (message: { spent: number }) => (told = message.spent));
  while (told < atLeast) await once(child, 'message');
  child.kill('SIGKILL');
  await ended;
  return told;
}

it('killed processes lose encryptions of the budget, and spend none twice', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-budget-'));
  try {
    const path = join(folder, 'catalog.db');
    const catalog = await openTestCatalog({ path, clock: systemClock });
    const { currentMaterialId } = await addKey(catalog);
    await catalog.close();
    let spent = 0;
    for (const atLeast of [10_000, 70_000]) {
      spent += await spendUntilKilled(path, currentMaterialId, atLeast);
      const reader = new Sqlite(path, { readonly: true });
      const reserved = reader.prepare('select sum(reserved_encryptions) from encryption_reservations').pluck().get();
      reader.close();
      expect(reserved).toBeGreaterThanOrEqual(spent);
      expect(reserved).toBeGreaterThanOrEqual(block);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
