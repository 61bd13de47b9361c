import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type KeyDomain, openKeyDomain } from '../../test/key-domain.js';
import { testWitness } from '../../test/test-witness.js';
import type { WitnessRefresh } from './witness-refresh.js';

let domain: KeyDomain;
let one: WitnessRefresh;
beforeEach(async () => {
  domain = await openKeyDomain();
  one = witnesses('one');
});
afterEach(() => domain.close());

function witnesses(holder: string): WitnessRefresh {
  const { core, catalog, own, defaultCluster, customCluster } = domain;
  const ids = [defaultCluster.clusterId, customCluster.clusterId];
  return testWitness(core, catalog, own.audit, { ...own.leases, holder }, ids);
}

const epochs = () =>
  [domain.defaultCluster, domain.customCluster].map((cluster) => cluster.witnesses.map(({ epoch }) => epoch));
const writes = () =>
  [domain.defaultCluster, domain.customCluster].flatMap(({ calls }) => calls.filter((name) => name === 'writeWitness'));

describe('a round', () => {
  it('writes the witness of every cluster after a change, and nothing without one', async () => {
    domain.clock.advance(60_000);
    await one.runNow();
    const before = writes().length;
    await domain.newKey();
    domain.clock.advance(60_000);
    await one.runNow();
    await one.runNow();
    expect(writes().length).toBe(before + 2);
    const { epoch } = await domain.catalog.readEpoch();
    expect(epochs()).toEqual([[epoch], [epoch]]);
    expect(one.statusOf(domain.defaultCluster.clusterId, 'software')).toMatchObject({ epoch, failing: false });
  });

  it('raises the epoch at most every 40 seconds, whatever changes', async () => {
    await domain.newKey();
    domain.clock.advance(60_000);
    await one.runNow();
    const { epoch } = await domain.catalog.readEpoch();
    await domain.newKey();
    domain.clock.advance(39_000);
    await one.runNow();
    expect((await domain.catalog.readEpoch()).epoch).toBe(epoch);
    domain.clock.advance(1_000);
    await one.runNow();
    expect((await domain.catalog.readEpoch()).epoch).toBe(epoch + 1);
  });

  it('leaves a cluster to the process that writes there', async () => {
    await domain.newKey();
    domain.clock.advance(60_000);
    const { leases } = domain.own;
    const lease = await leases.leases.acquireLease(`witness/${domain.defaultCluster.clusterId}`, 'two', 30_000);
    await one.runNow();
    expect(epochs()[0]).toEqual([]);
    expect(epochs()[1]).toHaveLength(1);
    if (lease !== undefined) await leases.leases.releaseLease(lease);
    await one.runNow();
    expect(epochs()[0]).toHaveLength(1);
  });

  it('goes on with the other clusters when one fails, and tries that again', async () => {
    await domain.newKey();
    domain.clock.advance(60_000);
    domain.defaultCluster.next('writeWitness', () => {
      throw new Error('the HSM is full');
    });
    await one.runNow();
    expect(epochs()[1]).toHaveLength(1);
    expect(one.statusOf(domain.defaultCluster.clusterId, 'software')).toMatchObject({
      writtenDate: null,
      failing: true,
    });
    await one.runNow();
    expect(one.statusOf(domain.defaultCluster.clusterId, 'software')).toMatchObject({ failing: false });
  });
});

describe('before a destruction', () => {
  it('the witness has everything that was recorded, without a pause, and is not written twice', async () => {
    await domain.newKey();
    await one.beforeDestruction(domain.defaultCluster);
    const { epoch } = await domain.catalog.readEpoch();
    expect(epochs()[0]).toEqual([epoch]);
    await one.beforeDestruction(domain.defaultCluster);
    await witnesses('two').beforeDestruction(domain.defaultCluster);
    expect(domain.defaultCluster.calls.filter((name) => name === 'writeWitness')).toHaveLength(1);
    await domain.newKey();
    await one.beforeDestruction(domain.defaultCluster);
    expect(epochs()[0]).toEqual([epoch + 1]);
  });

  it('is refused, and can be tried again, if no member takes the witness', async () => {
    await domain.newKey();
    domain.defaultCluster.next('writeWitness', () => {
      throw new Error('the HSM is full');
    });
    await expect(one.beforeDestruction(domain.defaultCluster)).rejects.toMatchObject({
      code: 'KMS_INTERNAL',
      retryable: true,
    });
    await one.beforeDestruction(domain.defaultCluster);
    expect(epochs()[0]).toHaveLength(1);
  });

  it('is refused if another catalog has used the HSM, then and later', async () => {
    await domain.newKey();
    const foreign = { incarnationId: 'f'.repeat(32), epoch: 1, epochDate: new Date(0), deployment: 'elsewhere' };
    domain.defaultCluster.witnesses = [foreign];
    await expect(one.beforeDestruction(domain.defaultCluster)).rejects.toThrow('given a witness');
    expect(domain.defaultCluster.witnesses).toEqual([foreign]);
    expect((await domain.catalog.findRollback())?.message).toContain('by another catalog');
    await expect(witnesses('two').beforeDestruction(domain.customCluster)).rejects.toThrow('by another catalog');
  });
});
