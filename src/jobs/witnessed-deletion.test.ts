import { afterEach, beforeEach, expect, it } from 'vitest';
import { type KeyDomain, openKeyDomain } from '../../test/key-domain.js';
import { testWitness } from '../../test/test-witness.js';
import { waitFor } from '../../test/wait-for.js';
import { type CatalogEpoch, unfollowedWitnesses } from '../clusters/witness.js';
import type { KeyRecord } from '../keys/key.js';
import { scheduleKeyDeletion } from '../operations/keys/schedule-key-deletion.js';
import { KeyDeletion } from './key-deletion.js';

/** Each deletion of a round has a witness of its own: one for all would let a catalog from between them pass. */

let domain: KeyDomain;
beforeEach(async () => (domain = await openKeyDomain()));
afterEach(() => domain.close());

const holds = (key: KeyRecord): boolean => domain.defaultCluster.has(key.currentMaterialId);
const stateOf = async (key: KeyRecord): Promise<string> => (await domain.reread(key)).state;

/** A process. One that is killed renews no lease any more. */
function deletionOf(holder: string, isKilled: () => boolean = () => false): KeyDeletion {
  const { core, catalog, own } = domain;
  const renewLease: typeof catalog.renewLease = (...lease) =>
    isKilled() ? Promise.reject(new Error('killed')) : catalog.renewLease(...lease);
  const leases = { ...own.leases, holder, leases: { ...catalog, renewLease } };
  return new KeyDeletion({ core, ...own, leases, witness: testWitness(core, catalog, own.audit, leases) });
}

async function dueKeys(count: number): Promise<KeyRecord[]> {
  const keys: KeyRecord[] = [];
  for (let made = 0; made < count; made += 1) {
    const key = await domain.newKey();
    await scheduleKeyDeletion(domain.core, { key, request: { pendingWindowInDays: 7 } });
    keys.push(await domain.reread(key));
  }
  domain.clock.advance(7 * 86_400_000);
  return keys;
}

it('a process that is killed between two deletions has witnessed the first, and destroyed nothing of the second', async () => {
  const keys = await dueKeys(2);
  const between: CatalogEpoch[] = [];
  let isKilled = false;
  // The first deletion writes its witness; the second is cut off before its own.
  domain.defaultCluster.next('writeWitness', () => undefined);
  domain.defaultCluster.next('destroyKeyMaterial', async () => void between.push(await domain.catalog.readEpoch()));
  domain.defaultCluster.next('writeWitness', () => {
    isKilled = true;
    return new Promise<void>(() => undefined);
  });
  // It never returns.
  void deletionOf('killed', () => isKilled)
    .runNow()
    .catch(() => undefined);
  await waitFor(() => {
    expect(isKilled).toBe(true);
    return Promise.resolve();
  });
  const [first, second] = keys.sort((one, other) => Number(holds(one)) - Number(holds(other)));
  expect([holds(first!), holds(second!), await stateOf(second!)]).toEqual([false, true, 'Deleting']);
  const [copied] = between;
  expect(unfollowedWitnesses(copied!, domain.defaultCluster.witnesses)).toEqual([]);

  domain.clock.advance(60_000);
  await deletionOf('another').runNow();
  expect([holds(second!), await stateOf(first!), await stateOf(second!)]).toEqual([false, 'Deleted', 'Deleted']);
  // A copy of the catalog from between them has the second key in use, and is refused.
  expect(unfollowedWitnesses(copied!, domain.defaultCluster.witnesses)).toHaveLength(1);
  expect(unfollowedWitnesses(await domain.catalog.readEpoch(), domain.defaultCluster.witnesses)).toEqual([]);
});

it('every key of a round is destroyed under a witness of what the catalog had recorded by then', async () => {
  await dueKeys(3);
  const epochs: (number | undefined)[][] = [];
  for (let key = 0; key < 3; key += 1)
    domain.defaultCluster.next('destroyKeyMaterial', async () => {
      const { epoch } = await domain.catalog.readEpoch();
      epochs.push([epoch, domain.defaultCluster.witnesses[0]?.epoch]);
    });
  await deletionOf('one').runNow();
  const catalog = epochs.map(([epoch]) => epoch);
  expect(epochs.map(([, witness]) => witness)).toEqual(catalog);
  expect(new Set(catalog).size).toBe(3);
});
