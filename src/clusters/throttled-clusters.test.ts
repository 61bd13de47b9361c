import { beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../test/manual-clock.js';
import { type SoftwareHsmCluster, SoftwareHsmClusters } from '../../test/software-hsm.js';
import { HoldfastError } from '../errors.js';
import { Secret } from '../secret.js';
import type { HsmCluster, HsmClusters } from './hsm-cluster.js';
import { throttledClusters } from './throttled-clusters.js';

const limited = 'cluster-1234567abcd';
const unlimited = 'cluster-7654321dcba';
let clock: ManualClock;
let clusters: HsmClusters;
let behind: SoftwareHsmCluster;

beforeEach(() => {
  clock = new ManualClock();
  const software = new SoftwareHsmClusters(clock);
  behind = software.add(limited, 'limited');
  software.add(unlimited, 'unlimited');
  clusters = throttledClusters(software, new Map([[limited, 10]]), clock);
});

async function connect(clusterId = limited): Promise<HsmCluster> {
  const outcome = await clusters.connect(clusterId, Secret.fromUtf8('1234567'), 'v1', clock.monotonicMs() + 1_000);
  if (!outcome.connected) throw new Error('not connected');
  return outcome.cluster;
}

const call = () => ({ deadlineMs: clock.monotonicMs() + 1_000 });

async function errorOf(operation: Promise<unknown>): Promise<HoldfastError> {
  const error: unknown = await operation.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof HoldfastError) return error;
  throw new Error('it was expected to fail', { cause: error });
}

async function succeeding(cluster: HsmCluster, attempts: number): Promise<number> {
  const outcomes = await Promise.allSettled(
    Array.from({ length: attempts }, () => cluster.perform('random', { lengthBytes: 8 }, call())),
  );
  return outcomes.filter(({ status }) => status === 'fulfilled').length;
}

describe('a quota', () => {
  test('lets one second of operations pass, and says how long to wait for the next', async () => {
    const cluster = await connect();
    expect(await succeeding(cluster, 25)).toBe(10);
    const error = await errorOf(cluster.perform('random', { lengthBytes: 8 }, call()));
    expect(error).toMatchObject({ code: 'THROTTLING', retryAfterMs: 100 });
    clock.advance(error.retryAfterMs ?? 0);
    expect(await succeeding(cluster, 3)).toBe(1);
  });

  test('fills up to one second’s worth and no more', async () => {
    const cluster = await connect();
    expect(await succeeding(cluster, 10)).toBe(10);
    clock.advance(500);
    expect(await succeeding(cluster, 25)).toBe(5);
    clock.advance(3_600_000);
    expect(await succeeding(cluster, 25)).toBe(10);
  });

  test('counts each operation that uses a key once, and asks no HSM above the quota', async () => {
    const cluster = await connect();
    const materialId = 'ab'.repeat(32);
    const { canary } = await cluster.perform('generateKeyMaterial', { materialId, label: 'a label' }, call());
    const material = { materialId, label: 'a label', extractable: false, canary };
    const aad = new Uint8Array(0);
    for (let i = 0; i < 3; i += 1) {
      const encrypted = await cluster.perform(
        'encrypt',
        { material, plaintext: Secret.fromUtf8('hello'), additionalData: aad },
        call(),
      );
      await cluster.perform('decrypt', { material, encrypted, additionalData: aad }, call());
      await cluster.perform('generateDataKey', { material, lengthBytes: 32, additionalData: aad }, call());
    }
    await cluster.perform('random', { lengthBytes: 8 }, call());
    const calls = behind.calls.length;
    const refused = [
      cluster.perform('encrypt', { material, plaintext: Secret.fromUtf8('hello'), additionalData: aad }, call()),
      cluster.perform('decrypt', { material, encrypted: { nonce: aad, ciphertext: aad }, additionalData: aad }, call()),
      cluster.perform('generateDataKey', { material, lengthBytes: 32, additionalData: aad }, call()),
      cluster.perform('random', { lengthBytes: 8 }, call()),
    ];
    for (const operation of refused) expect(await errorOf(operation)).toMatchObject({ code: 'THROTTLING' });
    expect(behind.calls).toHaveLength(calls);
  });

  test('does not count making, listing and destroying keys', async () => {
    const cluster = await connect();
    expect(await succeeding(cluster, 10)).toBe(10);
    const materialId = 'cd'.repeat(32);
    await cluster.perform('generateKeyMaterial', { materialId, label: 'a label' }, call());
    expect(await cluster.perform('listMaterialIds', {}, call())).toMatchObject([{ materialIds: [materialId] }]);
    await cluster.perform('destroyKeyMaterial', { materialId }, call());
    expect(await succeeding(cluster, 1)).toBe(0);
  });

  test('is not reset by connecting again', async () => {
    expect(await succeeding(await connect(), 10)).toBe(10);
    await clusters.disconnect(limited, clock.monotonicMs() + 1_000);
    expect(await succeeding(await connect(), 5)).toBe(0);
  });
});

test('leaves a cluster without a quota as it is', async () => {
  expect(await succeeding(await connect(unlimited), 500)).toBe(500);
  expect(clusters.list()).toHaveLength(2);
  expect(clusters.describe(limited)).toMatchObject({ name: 'limited' });
});
