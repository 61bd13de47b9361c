/** Members that an operator takes out of service, and brings back: no call fails, and they get the keys made meanwhile. */
import { afterEach, expect, test } from 'vitest';
import type { EncryptedData, HsmCluster, MaterialReference } from '../../src/clusters/hsm-cluster.js';
import { Secret } from '../../src/secret.js';
import { waitFor } from '../wait-for.js';
import { WrappedCluster } from '../wrapped-cluster.js';
import { clusterId, codeOf, inTime, soon } from './fixture.js';

const additionalData = Uint8Array.of(0xff, 0xff, 1);
const place = { clusterId, memberName: 'a' };
let made: WrappedCluster | undefined;

afterEach(async () => {
  await made?.dispose();
  made = undefined;
});

const encrypt = (cluster: HsmCluster, material: MaterialReference): Promise<EncryptedData> =>
  cluster.perform('encrypt', { material, plaintext: Secret.fromUtf8('x'), additionalData }, inTime());

/** Encrypts without a pause until it is stopped; then it says how often, and which errors there were. */
function load(
  cluster: HsmCluster,
  material: MaterialReference,
): { stop(): Promise<{ calls: number; codes: string[] }> } {
  let stopped = false;
  const codes = new Set<string>();
  let calls = 0;
  const caller = async (): Promise<void> => {
    while (!stopped) {
      codes.add(await codeOf(encrypt(cluster, material)));
      calls += 1;
    }
  };
  const callers = Array.from({ length: 8 }, caller);
  return {
    async stop() {
      stopped = true;
      await Promise.all(callers);
      return { calls, codes: [...codes] };
    },
  };
}

test('each member in turn is drained and returned under load, and no call fails', async () => {
  const on = await WrappedCluster.make(3);
  made = on;
  const clusters = on.clusters();
  const cluster = await on.connected(clusters);
  const { material } = await on.makeKey(cluster);
  const callers = load(cluster, material);
  for (const { name: memberName, fault } of on.members) {
    await clusters.drainMember({ clusterId, memberName }, soon());
    const shown = clusters.status()[0]?.members.find(({ name }) => name === memberName);
    expect(shown).toMatchObject({ isDrained: true, isOpen: false, statistics: { lanes: 0, openings: 0 } });
    // Firmware is updated now: nothing may reach the token.
    fault.remove('device-error');
    const calls = fault.calls('C_EncryptInit');
    expect(await codeOf(encrypt(cluster, material))).toBe('no error');
    expect(fault.calls('C_EncryptInit')).toBe(calls);
    fault.heal();
    on.events.length = 0;
    clusters.returnMember({ clusterId, memberName });
    await waitFor(() => expect(on.events).toContain(`resumed ${memberName}`));
  }
  const { calls, codes } = await callers.stop();
  expect(calls).toBeGreaterThan(0);
  expect(codes).toEqual(['no error']);
});

test('a drained member is not probed, and its return shows the keys that it lacks', async () => {
  const on = await WrappedCluster.make(3);
  made = on;
  const clusters = on.clusters();
  const cluster = await on.connected(clusters);
  await clusters.drainMember(place, soon());
  await clusters.drainMember(place, soon());
  const { memberNames, material } = await on.makeKey(cluster);
  expect([...memberNames].sort()).toEqual(['b', 'c']);
  expect(on.events.filter((event) => event.startsWith('suspended'))).toEqual([]);
  clusters.returnMember(place);
  await waitFor(() => expect(on.events).toContain('resumed a'));
  expect(clusters.status()[0]?.members.map(({ missingMaterials }) => missingMaterials)).toEqual([1, 0, 0]);
  expect(on.events).not.toContain('material-missing');
  await cluster.perform('copyKeyMaterial', { material, memberName: 'a' }, inTime());
  expect(clusters.status()[0]?.members.map(({ missingMaterials }) => missingMaterials)).toEqual([0, 0, 0]);
});

test('a member that the catalog records as drained is not opened at a connect', async () => {
  const on = await WrappedCluster.make(2);
  made = on;
  await on.catalog.recordDrainedMember({ ...place, drainedDate: new Date(1) });
  await on.catalog.recordDrainedMember({ ...place, drainedDate: new Date(2) });
  expect(await on.catalog.listDrainedMembers()).toEqual([{ ...place, drainedDate: new Date(1) }]);
  const clusters = on.clusters();
  await on.connected(clusters);
  expect(on.member(0).fault.calls('C_Login')).toBe(0);
  expect(clusters.status()[0]?.members.map(({ isDrained, isOpen }) => [isDrained, isOpen])).toEqual([
    [true, false],
    [false, true],
  ]);
  await on.catalog.forgetDrainedMember(clusterId, 'a');
  await on.catalog.forgetDrainedMember(clusterId, 'a');
  expect(await on.catalog.listDrainedMembers()).toEqual([]);
  clusters.returnMember(place);
  await waitFor(() => expect(on.events).toContain('resumed a'));
  expect(on.member(0).fault.calls('C_Login')).toBe(1);
});

test('a cluster whose members are all drained does not connect', async () => {
  const on = await WrappedCluster.make(1);
  made = on;
  await on.catalog.recordDrainedMember({ ...place, drainedDate: new Date(1) });
  const outcome = await on.connect();
  expect(outcome).toMatchObject({ connected: false, cause: { message: /holdfast cluster resume/ } });
});
