import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { EncryptedData, HsmCluster, MaterialReference } from '../../src/clusters/hsm-cluster.js';
import { Secret } from '../../src/secret.js';
import { waitFor } from '../wait-for.js';
import { newMember, runCeremony, WrappedCluster } from '../wrapped-cluster.js';
import { clusterId, codeOf, inTime, soon } from './fixture.js';

const additionalData = Uint8Array.of(0xff, 0xff, 1);
let made: WrappedCluster | undefined;

afterEach(async () => {
  await made?.dispose();
  made = undefined;
});

async function wrapped(...of: Parameters<typeof WrappedCluster.make>): Promise<[WrappedCluster, HsmCluster]> {
  made = await WrappedCluster.make(...of);
  return [made, await made.connected()];
}

const encrypt = (cluster: HsmCluster, material: MaterialReference): Promise<EncryptedData> =>
  cluster.perform('encrypt', { material, plaintext: Secret.fromUtf8('x'), additionalData }, inTime());
const decrypt = (cluster: HsmCluster, material: MaterialReference, encrypted: EncryptedData): Promise<Secret> =>
  cluster.perform('decrypt', { material, encrypted, additionalData }, inTime());
const holders = async (cluster: HsmCluster, { materialId }: MaterialReference): Promise<string[]> =>
  (await cluster.perform('listMaterialIds', {}, inTime()))
    .filter(({ materialIds }) => materialIds.includes(materialId))
    .map(({ memberName }) => memberName);
const trouble = (events: readonly string[]): string[] => events.filter((event) => !event.startsWith('opened'));

/** Takes members away, as if their devices were unplugged, until they are suspended. */
async function takeAway(wrappedCluster: WrappedCluster, cluster: HsmCluster, ...indexes: number[]): Promise<void> {
  for (const index of indexes) wrappedCluster.member(index).fault.remove('device-error');
  await waitFor(async () => {
    await codeOf(cluster.perform('random', { lengthBytes: 8 }, inTime()));
    for (const index of indexes)
      expect(wrappedCluster.events).toContain(`suspended ${wrappedCluster.member(index).name}`);
  });
}

async function bringBack(wrappedCluster: WrappedCluster, ...indexes: number[]): Promise<void> {
  wrappedCluster.events.length = 0;
  for (const index of indexes) wrappedCluster.member(index).fault.heal();
  await waitFor(() => {
    for (const index of indexes)
      expect(wrappedCluster.events).toContain(`resumed ${wrappedCluster.member(index).name}`);
  });
}

describe('a new key of a wrapped cluster', () => {
  test.each([1, 2, 3])('is on all of %i members', async (count) => {
    const [on, cluster] = await wrapped(count);
    const { material, memberNames } = await on.makeKey(cluster);
    const names = on.members.map(({ name }) => name);
    expect([material.extractable, [...memberNames].sort()]).toEqual([true, names]);
    expect(await holders(cluster, material)).toEqual(names);
    expect(trouble(on.events)).toEqual([]);
  });

  test('decrypts on every member what any other encrypted, with any two of three away', async () => {
    const [on, cluster] = await wrapped(3);
    const { material } = await on.makeKey(cluster);
    const encrypted: EncryptedData[] = [];
    for (const [one, other] of [
      [1, 2],
      [0, 2],
      [0, 1],
    ] as const) {
      await takeAway(on, cluster, one, other);
      encrypted.push(await encrypt(cluster, material));
      for (const each of encrypted) expect((await decrypt(cluster, material, each)).byteLength).toBe(1);
      await bringBack(on, one, other);
    }
    expect(on.events).not.toContain('material-missing');
  });

  test.each([28, 32, 48, 64] as const)('for MACs of %i bytes makes the same on every member', async (macLength) => {
    const [on, cluster] = await wrapped(3);
    const { material, memberNames } = await on.makeKey(cluster, macLength);
    expect([...memberNames].sort()).toEqual(on.members.map(({ name }) => name));
    const macs = new Set<string>();
    for (const [one, other] of [
      [1, 2],
      [0, 2],
      [0, 1],
    ] as const) {
      await takeAway(on, cluster, one, other);
      const message = Secret.fromUtf8('a message');
      const mac = await cluster.perform('mac', { material, message }, inTime());
      expect(mac.byteLength).toBe(macLength);
      macs.add(Buffer.from(mac.reveal()).toString('hex'));
      await bringBack(on, one, other);
    }
    expect(macs.size).toBe(1);
    expect(on.events.filter((event) => event.startsWith('material-'))).toEqual([]);
  });

  test('is refused before a token is asked if a member lacks a mechanism, which is named', async () => {
    const [on, cluster] = await wrapped(2);
    const made = on.member(0).fault.calls('C_GenerateKey');
    const request = {
      materialId: 'ab'.repeat(32),
      label: 'x',
      mechanisms: [{ name: 'CKM_OF_NO_TOKEN', value: 0x7fff_0000 }],
    };
    await expect(cluster.perform('generateKeyMaterial', request, inTime())).rejects.toMatchObject({
      code: 'UNSUPPORTED_OPERATION',
      message: `Member ${on.member(0).name} of cluster ${clusterId} lacks CKM_OF_NO_TOKEN, which such a key needs.`,
    });
    expect(on.member(0).fault.calls('C_GenerateKey')).toBe(made);
  });

  test('serves callers without one failed call while any two of three members are taken away', async () => {
    const [on, cluster] = await wrapped(3);
    const { material } = await on.makeKey(cluster);
    let isOver = false;
    let answered = 0;
    const callers = Array.from({ length: 4 }, async () => {
      while (!isOver) {
        await decrypt(cluster, material, await encrypt(cluster, material));
        answered += 1;
      }
    });
    const served = Promise.all(callers);
    for (const away of [
      [1, 2],
      [0, 2],
      [0, 1],
    ]) {
      await takeAway(on, cluster, ...away);
      const before = answered;
      await waitFor(() => expect(answered).toBeGreaterThan(before + 10));
      await bringBack(on, ...away);
    }
    isOver = true;
    await served;
    expect(on.events).not.toContain('material-missing');
  });

  test('is refused if fewer members than the minimum can take it, before a token is asked', async () => {
    const [on, cluster] = await wrapped(3, { minimumMembers: 3 });
    await takeAway(on, cluster, 2);
    const before = on.member(0).fault.calls('C_GenerateKey');
    expect(await codeOf(on.makeKey(cluster))).toBe('CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION');
    expect(on.member(0).fault.calls('C_GenerateKey')).toBe(before);
  });

  test('is refused without a ceremony, with the command that an operator needs', async () => {
    const [on, first] = await wrapped(1);
    await on.close();
    on.members[0] = newMember('a');
    const cluster = await on.connected();
    expect(first).not.toBe(cluster);
    await expect(on.makeKey(cluster)).rejects.toMatchObject({
      code: 'CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION',
      message: expect.stringContaining('holdfast cluster init') as string,
      retryable: false,
    });
  });

  test('fails if too few members prove it, and the failure is an HSM’s', async () => {
    const [on, cluster] = await wrapped(2);
    on.member(1).fault.obey('C_UnwrapKey rv 0x5');
    expect(await codeOf(on.makeKey(cluster))).toBe('KMS_INTERNAL');
  });

  test('needs only the minimum: a member that fails to take it lacks it, and is reported', async () => {
    const [on, cluster] = await wrapped(3);
    on.member(1).fault.obey('C_UnwrapKey rv 0x5');
    const { material, memberNames } = await on.makeKey(cluster);
    expect([...memberNames].sort()).toEqual(['a', 'c']);
    expect(trouble(on.events)).toEqual(['copy missing b']);
    on.member(1).fault.heal();
    expect(await holders(cluster, material)).toEqual(['a', 'c']);
  });

  test('waits only a moment for a member that hangs, once enough have proved it', async () => {
    const [on, cluster] = await wrapped(3);
    on.member(2).fault.obey('C_UnwrapKey hang');
    const { memberNames } = await on.makeKey(cluster);
    expect([...memberNames].sort()).toEqual(['a', 'b']);
    on.member(2).fault.heal();
  });
});

describe('a member that lacks a key', () => {
  test('costs its users no try and raises no alert', async () => {
    const [on, cluster] = await wrapped(3);
    on.member(1).fault.obey('C_UnwrapKey rv 0x5');
    const { material } = await on.makeKey(cluster);
    on.member(1).fault.heal();
    on.events.length = 0;
    const inits = (index: number): number => on.member(index).fault.calls('C_EncryptInit');
    const before = [0, 1, 2].map(inits);
    const searches = on.member(1).fault.calls('C_FindObjectsInit');
    await Promise.all(Array.from({ length: 60 }, () => encrypt(cluster, material)));
    expect(inits(1)).toBe(before[1]);
    expect(on.member(1).fault.calls('C_FindObjectsInit')).toBe(searches);
    expect([inits(0) > (before[0] ?? 0), inits(2) > (before[2] ?? 0)]).toEqual([true, true]);
    expect(on.spending.spent.filter((id) => id === material.materialId)).toHaveLength(60);
    expect(on.events).toEqual([]);
  });

  test('is known before it takes work: a new token in an old one’s place', async () => {
    const [on, cluster] = await wrapped(3);
    const { material } = await on.makeKey(cluster);
    await on.close();
    const old = on.member(2);
    on.members[2] = newMember('c');
    old.hsm.dispose();
    const again = await on.connected();
    on.events.length = 0;
    await Promise.all(Array.from({ length: 30 }, () => encrypt(again, material)));
    expect(on.events).toEqual([]);
    expect(await holders(again, material)).toEqual(['a', 'b']);
  });

  test('is learned from its first use, which succeeds elsewhere; the second costs no try', async () => {
    const [on, cluster] = await wrapped(2);
    const { material } = await on.makeKey(cluster);
    const other = new WrappedClusterProcess(on);
    await other.destroyOn('b', material);
    on.events.length = 0;
    await Promise.all(Array.from({ length: 30 }, () => encrypt(cluster, material)));
    await Promise.all(Array.from({ length: 30 }, () => encrypt(cluster, material)));
    expect(on.events).toEqual(['copy missing b']);
    await other.destroyOn('a', material);
    expect(await codeOf(encrypt(cluster, material))).toBe('KMS_INVALID_STATE');
    expect(on.events).toContain('material-missing');
  });

  test('answers that the key is unavailable, not that it is lost, while those that have it are away', async () => {
    const [on, cluster] = await wrapped(3);
    on.member(2).fault.obey('C_UnwrapKey rv 0x5');
    const { material } = await on.makeKey(cluster);
    on.member(2).fault.heal();
    await takeAway(on, cluster, 0, 1);
    expect(await codeOf(encrypt(cluster, material))).toBe('KEY_UNAVAILABLE');
    expect(on.events).not.toContain('material-missing');
    await bringBack(on, 0, 1);
    expect((await encrypt(cluster, material)).nonce).toHaveLength(12);
  });
});

describe('a copy', () => {
  test('gives a member a key that it lacks, once', async () => {
    const [on, cluster] = await wrapped(3);
    on.member(2).fault.obey('C_UnwrapKey rv 0x5');
    const { material } = await on.makeKey(cluster);
    on.member(2).fault.heal();
    const copy = () => cluster.perform('copyKeyMaterial', { material, memberName: 'c' }, inTime());
    expect([await copy(), await copy()]).toEqual([{ copied: true }, { copied: false }]);
    expect(await holders(cluster, material)).toEqual(['a', 'b', 'c']);
    await takeAway(on, cluster, 0, 1);
    expect((await encrypt(cluster, material)).nonce).toHaveLength(12);
    await cluster.perform('proveKeyMaterial', { material, memberName: 'c' }, inTime());
  });

  test('is refused by a member that is behind, and by a member that is away', async () => {
    const [on] = await wrapped(3);
    await on.close();
    await runCeremony([on.member(0), on.member(1)], 2);
    const cluster = await on.connected();
    const { material, memberNames } = await on.makeKey(cluster);
    expect([...memberNames].sort()).toEqual(['a', 'b']);
    expect(on.events).toContain('behind c');
    const copy = () => codeOf(cluster.perform('copyKeyMaterial', { material, memberName: 'c' }, inTime()));
    expect(await copy()).toBe('CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION');
    await takeAway(on, cluster, 2);
    await waitFor(async () => expect(await copy()).toBe('KEY_UNAVAILABLE'));
  });
});

describe('connecting a key store', () => {
  test('needs the minimum of members, but one is enough to connect it again', async () => {
    const [on] = await wrapped(3);
    await on.close();
    for (const index of [1, 2]) {
      const { hsm } = on.member(index);
      renameSync(join(hsm.directory, 'tokens'), join(hsm.directory, 'lost'));
    }
    const clusters = on.clusters();
    expect(await on.connect('minimum', clusters)).toMatchObject({
      connected: false,
      errorCode: 'INSUFFICIENT_CLOUDHSM_HSMS',
    });
    expect(await on.connect('one', clusters)).toMatchObject({ connected: true });
    await clusters.disconnect(clusterId, soon());
  });
});

/** Another process with the PIN. */
class WrappedClusterProcess {
  constructor(readonly on: WrappedCluster) {}

  async destroyOn(memberName: string, { materialId }: MaterialReference): Promise<void> {
    const clusters = this.on.clusters();
    const cluster = await this.on.connected(clusters);
    await cluster.perform('destroyKeyMaterial', { materialId, memberName }, inTime());
    await clusters.disconnect(clusterId, soon());
  }
}
