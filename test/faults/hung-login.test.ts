import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/clock-system.js';
import type { ConfiguredHsmClusters } from '../../src/hsm/clusters.js';
import type { ConnectOutcome } from '../../src/clusters/hsm-cluster.js';
import { Secret } from '../../src/secret.js';
import { clusterId, pin } from '../hsm/fixture.js';
import { ReplicatedCluster } from './replicated-cluster.js';
import { shortDelays, until } from './replicated-server.js';

/** Invariant 7, when the token has not answered the first attempt yet. */

let replicas: ReplicatedCluster;

beforeEach(async () => {
  const cluster = { recovery: { ...shortDelays.recovery, openTimeoutMs: 500 } };
  const options = { memberCount: 2, materialCount: 1, lanes: 2, operationTimeoutMs: 2_000 };
  replicas = await ReplicatedCluster.make({ ...options, cluster });
});

afterEach(() => replicas.dispose());

function connect(clusters: ConfiguredHsmClusters, tried: string): Promise<ConnectOutcome> {
  return clusters.connect(clusterId, Secret.fromUtf8(tried), 'store:1', systemClock.monotonicMs() + 3_000);
}

test('a wrong PIN is not tried again by any process while its first attempt hangs in the token', async () => {
  const one = replicas.only(0);
  const { fault } = one.member(0);
  fault.obey('C_Login hang');
  const first = await one.clusters();
  for (const clusters of [first, first, await one.clusters(), await one.clusters()]) {
    expect(await connect(clusters, 'not this PIN')).toMatchObject({ connected: false, errorCode: 'NETWORK_ERRORS' });
  }
  fault.heal();
  await until('the call has come back', () => fault.inside('C_Login') === 0);
  expect(fault.counts('C_Login')).toMatchObject({ entered: 1, failed: 1 });
  await one.close();
}, 60_000);

test('a changed PIN that the token once accepted is not tried again either', async () => {
  const one = replicas.only(0);
  const { fault } = one.member(0);
  const first = await one.clusters();
  expect((await connect(first, pin)).connected).toBe(true);
  await first.disconnect(clusterId, systemClock.monotonicMs() + 3_000);
  const before = fault.calls('C_Login');
  fault.obey('C_Login hang');
  for (const clusters of [first, first, await one.clusters(), await one.clusters()]) {
    expect(await connect(clusters, 'not this PIN')).toMatchObject({ connected: false, errorCode: 'NETWORK_ERRORS' });
  }
  fault.heal();
  await until('the call has come back', () => fault.inside('C_Login') === 0);
  expect(fault.calls('C_Login') - before).toBe(1);
  await one.close();
}, 60_000);

test('the correct PIN connects once the hanging attempt has returned', async () => {
  const one = replicas.only(0);
  const { fault } = one.member(0);
  fault.obey('C_Login hang');
  const clusters = await one.clusters();
  for (let attempt = 0; attempt < 2; attempt += 1) expect((await connect(clusters, pin)).connected).toBe(false);
  expect(fault.calls('C_Login')).toBe(1);
  fault.heal();
  const deadlineMs = systemClock.monotonicMs() + 20_000;
  while (!(await connect(clusters, pin)).connected) expect(systemClock.monotonicMs()).toBeLessThan(deadlineMs);
  await one.close();
}, 60_000);

test('a wrong PIN is not tried again on a member that never accepted it, while another serves', async () => {
  const { fault } = replicas.member(1);
  fault.obey('C_Login hang');
  await replicas.connected();
  const failures = () => replicas.events.filter((event) => event.startsWith('not reconnected')).length;
  await until('it was tried again', () => failures() >= 2);
  expect(fault.calls('C_Login')).toBe(1);
  fault.heal();
  await until('it serves', () => replicas.events.some((event) => event.startsWith('resumed')));
}, 60_000);
