/** Clusters of unlike tokens: `trust: unenforced`, and what an enforcing cluster refuses. */
import { afterEach, describe, expect, test } from 'vitest';
import type { EncryptedData, HsmCluster, MaterialReference } from '../../src/clusters/hsm-cluster.js';
import { loadAddon } from '../../src/hsm/native.js';
import { automaticProfile } from '../../src/hsm/profiles/effective-profile.js';
import { Secret } from '../../src/secret.js';
import { hasKryoptic, hasNss, newKryopticMember, newNssMember } from '../mixed-members.js';
import { waitFor } from '../wait-for.js';
import { ceremonyMember, newMember, WrappedCluster } from '../wrapped-cluster.js';
import { clusterId, codeOf, inTime, pin, soon } from './fixture.js';

const additionalData = Uint8Array.of(0xff, 0xff, 1);
const unenforced = { trust: 'unenforced' } as const;
let on: WrappedCluster;

afterEach(() => on.dispose());

const encrypt = (cluster: HsmCluster, material: MaterialReference): Promise<EncryptedData> =>
  cluster.perform('encrypt', { material, plaintext: Secret.fromUtf8('x'), additionalData }, inTime());
const decrypt = (cluster: HsmCluster, material: MaterialReference, encrypted: EncryptedData): Promise<Secret> =>
  cluster.perform('decrypt', { material, encrypted, additionalData }, inTime());

const destroyOn = (cluster: HsmCluster, { materialId }: MaterialReference, memberName: string): Promise<unknown> =>
  cluster.perform('destroyKeyMaterial', { materialId, memberName }, inTime());

/** Suspends all members but one. */
async function keepOnly(name: string, cluster: HsmCluster): Promise<void> {
  const others = on.members.filter((member) => member.name !== name);
  for (const { fault } of others) fault.remove('device-error');
  await waitFor(async () => {
    await codeOf(cluster.perform('random', { lengthBytes: 8 }, inTime()));
    for (const other of others) expect(on.events).toContain(`suspended ${other.name}`);
  });
}

async function bringBack(): Promise<void> {
  const away = on.members.filter(({ name }) => on.events.lastIndexOf(`suspended ${name}`) >= 0);
  on.events.length = 0;
  for (const { fault } of away) fault.heal();
  await waitFor(() => {
    for (const { name } of away) expect(on.events).toContain(`resumed ${name}`);
  });
}

const others = [...(hasNss ? [newNssMember] : []), ...(hasKryoptic ? [newKryopticMember] : [])];

describe.skipIf(!hasNss)('SoftHSM, NSS and kryoptic members of one cluster', () => {
  test('have the same keys: what one encrypts, each other one decrypts', async () => {
    on = await WrappedCluster.of(
      [newMember('a'), ...others.map((make, index) => make('bc'.charAt(index)))],
      unenforced,
    );
    const cluster = await on.connected();
    const { material, memberNames } = await on.makeKey(cluster);
    const names = on.members.map(({ name }) => name);
    expect([...memberNames].sort()).toEqual(names);
    const encrypted: EncryptedData[] = [];
    // The second round decrypts on each member what all others have encrypted.
    for (const name of [...names, ...names]) {
      await keepOnly(name, cluster);
      if (encrypted.length < names.length) encrypted.push(await encrypt(cluster, material));
      for (const each of encrypted) expect((await decrypt(cluster, material, each)).byteLength).toBe(1);
      await bringBack();
    }
    expect(on.events).not.toContain('material-missing');
  });
});

describe.each([
  ['NSS', hasNss, newNssMember, 'wrap-under-own-key'],
  ['kryoptic', hasKryoptic, newKryopticMember, 'generate-trusted-key'],
] as const)('%s', (_, isHere, make, attack) => {
  test.skipIf(!isHere)('gets the keys that were made while it was away', async () => {
    on = await WrappedCluster.of([newMember('a'), newMember('b'), make('c')], unenforced);
    const cluster = await on.connected();
    on.member(2).fault.obey('C_UnwrapKey rv 0x5');
    const { material, memberNames } = await on.makeKey(cluster);
    expect([...memberNames].sort()).toEqual(['a', 'b']);
    on.member(2).fault.heal();
    const copy = { material, memberName: 'c' };
    expect(await cluster.perform('copyKeyMaterial', copy, inTime())).toEqual({ copied: true });
    await cluster.perform('proveKeyMaterial', copy, inTime());
    // And what it has itself, it gives to another one.
    await destroyOn(cluster, material, 'b');
    on.member(0).fault.obey('C_WrapKey rv 0x5');
    const back = { material, memberName: 'b' };
    expect(await cluster.perform('copyKeyMaterial', back, inTime())).toEqual({ copied: true });
    await cluster.perform('proveKeyMaterial', back, inTime());
  });

  test.skipIf(!isHere)(`falls to ${attack}`, async () => {
    on = await WrappedCluster.of([make('a')], { ...unenforced, minimumMembers: 1 });
    const succeeded = async (userPin: Uint8Array | null) =>
      (await loadAddon().checkTrust(ceremonyMember(on.member(0)), clusterId, 1, userPin, soon()))
        .filter(({ held, rv }) => !held && rv === 0)
        .map((outcome) => outcome.attack);
    expect(await succeeded(new TextEncoder().encode(pin))).toContain(attack);
    expect(await succeeded(null)).toContain(attack);
  });

  test.skipIf(!isHere)('is refused in a cluster that enforces trust, whatever the configuration calls it', async () => {
    on = await WrappedCluster.of([newMember('a')]);
    on.members.push(make('b'));
    for (const setting of [{}, { profile: 'softhsm' }, { ceremony: 'so-made' }] as const) {
      on.events.length = 0;
      const profile = { ...automaticProfile, ...setting };
      const clusters = on.clusters({ minimumMembers: 1 }, profile);
      const cluster = await on.connected(clusters);
      expect(on.events).toEqual(['opened a', 'not opened b']);
      expect((await on.makeKey(cluster)).memberNames).toEqual(['a']);
      expect(on.member(1).fault.calls('C_Login')).toBe(0);
      await on.close();
    }
  });
});

describe('a cluster whose wrapping keys were made with another trust than its configuration has', () => {
  test.each(['enforced', 'unenforced'] as const)('is refused: made %s', async (trust) => {
    on = await WrappedCluster.of([newMember('a')], { trust, minimumMembers: 1 });
    expect(await on.connect()).toMatchObject({ connected: true });
    await on.close();
    const other = trust === 'enforced' ? 'unenforced' : 'enforced';
    const outcome = await on.connect('one', on.clusters({ trust: other }));
    expect(outcome).toMatchObject({ connected: false, transient: false, errorCode: 'INTERNAL_ERROR' });
    expect('cause' in outcome && String(outcome.cause)).toContain('Member a of cluster');
  });
});
