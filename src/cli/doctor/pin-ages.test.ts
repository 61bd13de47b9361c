import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTestCatalog } from '../../../test/catalog-file.js';
import { systemClock } from '../../clock-system.js';
import type { Configuration } from '../../config/configuration.js';
import type { SqliteCatalog } from '../../storage/sqlite.js';
import { checkPinAges } from './pin-ages.js';

const dayMs = 86_400_000;
const now = new Date('2026-12-01T12:00:00Z');

let folder: string;
let catalog: SqliteCatalog;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-doctor-'));
  catalog = await openTestCatalog({ path: join(folder, 'catalog.sqlite'), clock: systemClock });
});
afterEach(async () => {
  await catalog.close();
  rmSync(folder, { recursive: true });
});

async function findings(maximumAgeDays: number | null): Promise<string[]> {
  const configuration = {
    identity: { partition: 'aws', region: 'eu-central-1', accounts: ['111122223333'] },
    clusters: [],
    catalog: { path: join(folder, 'catalog.sqlite'), create: false },
    keyStorePins: { maximumAgeDays, rotateAfterDays: null },
  } as unknown as Configuration;
  const found = await checkPinAges(configuration, now);
  return found.map(({ status, subject, message }) => `${status}: ${subject} ${message}`);
}

test('each PIN is judged by the maximum, and a rotation that failed is named', async () => {
  const age = (keyStore: string, days: number, attemptDate: Date | null) =>
    catalog.recordPinAge({
      ...{ keyStore, credentialVersion: 'one', attemptDate },
      sinceDate: new Date(now.getTime() - days * dayMs),
    });
  await age('cks-1', 40, now);
  await age('default', 39, null);
  expect(await findings(null)).toEqual([]);
  expect(await findings(39)).toEqual([
    'warn: PIN of key store cks-1 is 40 days old, and may be 39',
    'warn: PIN of key store cks-1 was not rotated on 2026-12-01T12:00:00.000Z; the log says why',
    'ok: PIN of key store default is 39 days old, and may be 39',
  ]);
});
