import { afterEach, expect, test } from 'vitest';
import type { HsmCluster, MaterialReference } from '../../src/clusters/hsm-cluster.js';
import { Secret } from '../../src/secret.js';
import { waitFor } from '../wait-for.js';
import { runCeremony, WrappedCluster } from '../wrapped-cluster.js';
import { codeOf, inTime } from './fixture.js';

/** What a backup asks of a wrapped cluster, on real tokens. */

const data = new TextEncoder().encode('a record');
let made: WrappedCluster | undefined;

afterEach(async () => {
  await made?.dispose();
  made = undefined;
});

async function wrapped(...of: Parameters<typeof WrappedCluster.make>): Promise<[WrappedCluster, HsmCluster]> {
  made = await WrappedCluster.make(...of);
  return [made, await made.connected()];
}

const wrap = (cluster: HsmCluster, material: MaterialReference, generation = 1): Promise<Uint8Array | undefined> =>
  cluster.perform('wrapKeyMaterial', { material, generation }, inTime());
const prove = (cluster: HsmCluster, material: MaterialReference, blob: Uint8Array): Promise<undefined> =>
  cluster.perform('proveWrappedKeyMaterial', { material, generation: 1, blob }, inTime());

/** Takes members away, as if their devices were unplugged, until they are suspended. */
async function takeAway(on: WrappedCluster, cluster: HsmCluster, ...indexes: number[]): Promise<void> {
  for (const index of indexes) on.member(index).fault.remove('device-error');
  await waitFor(async () => {
    await codeOf(cluster.perform('random', { lengthBytes: 8 }, inTime()));
    for (const index of indexes) expect(on.events).toContain(`suspended ${on.member(index).name}`);
  });
}

test('any member makes the same MAC and the same blob, and proves it', async () => {
  const [on, cluster] = await wrapped(2);
  const { material } = await on.makeKey(cluster);
  const macs: string[] = [];
  const blobs: string[] = [];
  for (let turn = 0; turn < 4; turn++) {
    const { mac, generation } = await cluster.perform('makeBackupMac', { data }, inTime());
    expect(generation).toBe(1);
    macs.push(Buffer.from(mac).toString('hex'));
    const blob = await wrap(cluster, material);
    blobs.push(Buffer.from(blob!).toString('hex'));
    await prove(cluster, material, blob!);
  }
  expect([new Set(macs).size, new Set(blobs).size]).toEqual([1, 1]);
  const [inventory] = await cluster.perform('listMaterialIds', {}, inTime());
  expect(inventory?.materialIds).toEqual([material.materialId]);
});

test.each([28, 64] as const)('a key for MACs of %i bytes is wrapped, proved and restored', async (macLength) => {
  const [on, cluster] = await wrapped(2);
  const { material } = await on.makeKey(cluster, macLength);
  const { material: other } = await on.makeKey(cluster, macLength);
  const message = Secret.fromUtf8('a message');
  const mac = await cluster.perform('mac', { material, message }, inTime());
  const blob = await wrap(cluster, material);
  await prove(cluster, material, blob!);
  expect(await codeOf(prove(cluster, other, blob!))).toBe('KMS_INVALID_STATE');
  for (const { name: memberName } of on.members) {
    await cluster.perform('destroyKeyMaterial', { materialId: material.materialId, memberName }, inTime());
    const request = { material, memberName, generation: 1, blob: blob! };
    expect(await cluster.perform('restoreKeyMaterial', request, inTime())).toEqual({ copied: true });
  }
  const again = await cluster.perform('mac', { material, message }, inTime());
  expect(again.reveal()).toEqual(mac.reveal());
});

test('another member goes on when one dies, and nothing is called missing', async () => {
  const [on, cluster] = await wrapped(3);
  const { material } = await on.makeKey(cluster);
  const blob = await wrap(cluster, material);
  on.member(0).fault.remove('device-error');
  for (let turn = 0; turn < 3; turn++) {
    expect(await wrap(cluster, material)).toEqual(blob);
    await prove(cluster, material, blob!);
    expect((await cluster.perform('makeBackupMac', { data, generation: 1 }, inTime())).mac.byteLength).toBe(32);
  }
});

test('a material is missing only if every member was asked', async () => {
  const [on, cluster] = await wrapped(2);
  const { material } = await on.makeKey(cluster);
  for (const memberName of on.members.map(({ name }) => name))
    await cluster.perform('destroyKeyMaterial', { materialId: material.materialId, memberName }, inTime());
  expect(await wrap(cluster, material)).toBeUndefined();
  await takeAway(on, cluster, 1);
  expect(await codeOf(wrap(cluster, material))).toBe('KMS_INVALID_STATE');
});

test('the blob of another key proves nothing, and a generation that no member has makes no MAC', async () => {
  const [on, cluster] = await wrapped(1);
  const { material } = await on.makeKey(cluster);
  const { material: other } = await on.makeKey(cluster);
  const blob = await wrap(cluster, other);
  expect(await codeOf(prove(cluster, material, blob!))).not.toBe('no error');
  expect(await codeOf(wrap(cluster, material, 7))).toBe('KEY_UNAVAILABLE');
  expect(await codeOf(cluster.perform('makeBackupMac', { data, generation: 7 }, inTime()))).toBe('KEY_UNAVAILABLE');
});

test('a ceremony meanwhile leaves the generation that a backup began with', async () => {
  const [on, cluster] = await wrapped(2);
  const { material } = await on.makeKey(cluster);
  const blob = await wrap(cluster, material);
  await runCeremony(on.members, 2);
  await cluster.perform('listMaterialIds', {}, inTime());
  expect(await wrap(cluster, material)).toEqual(blob);
  await prove(cluster, material, blob!);
  expect((await cluster.perform('makeBackupMac', { data }, inTime())).generation).toBe(2);
  expect((await cluster.perform('makeBackupMac', { data, generation: 1 }, inTime())).generation).toBe(1);
});
