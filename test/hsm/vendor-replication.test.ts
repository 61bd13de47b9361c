/** A cluster whose vendor copies keys: two or three tokens that a stand-in for the vendor keeps alike. */
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock-system.js';
import type { HsmCluster, MaterialReference } from '../../src/clusters/hsm-cluster.js';
import { randomIdentifiers } from '../../src/ids.js';
import { IntentRecovery } from '../../src/jobs/intent-recovery.js';
import { Reconciler, type ReconcilerOptions } from '../../src/jobs/reconciler.js';
import { Secret } from '../../src/secret.js';
import { VendorCopies } from '../vendor-copies.js';
import { waitFor } from '../wait-for.js';
import { WrappedCluster } from '../wrapped-cluster.js';
import { clusterId, codeOf, inTime } from './fixture.js';

const additionalData = Uint8Array.of(0xff, 0xff, 1);
let on: WrappedCluster;
let vendor: VendorCopies;
let cluster: HsmCluster;

afterEach(async () => {
  vendor.stop();
  await on.dispose();
});

async function begin(...of: Parameters<typeof WrappedCluster.makeVendors>): Promise<void> {
  on = await WrappedCluster.makeVendors(...of);
  vendor = new VendorCopies(on.members);
  cluster = await on.connected();
}

const use = async (material: MaterialReference): Promise<void> => {
  const request = { material, plaintext: Secret.fromUtf8('x'), additionalData };
  const encrypted = await cluster.perform('encrypt', request, inTime());
  await cluster.perform('decrypt', { material, encrypted, additionalData }, inTime());
};
const destroy = ({ materialId }: MaterialReference) => cluster.perform('destroyKeyMaterial', { materialId }, inTime());
const alerts = (): string[] => on.events.filter((event) => /material-|canary|refused/.test(event));
const shortly = () => ({ deadlineMs: Number(process.hrtime.bigint() / 1_000_000n) + 1_000 });

/** Takes a member away, as if its device were unplugged, until it is suspended. */
async function takeAway(index: number): Promise<void> {
  on.member(index).fault.remove('device-error');
  await waitFor(async () => {
    await codeOf(cluster.perform('random', { lengthBytes: 8 }, inTime()));
    expect(on.events).toContain(`suspended ${on.member(index).name}`);
  });
}

/** Compares the cluster with the catalog, as the service does. */
function reconciler(): Reconciler {
  const keyStores = {
    connectedCluster: () => cluster,
    describeCluster: () => ({ memberNames: on.members.map(({ name }) => name) }),
  } as unknown as ReconcilerOptions['core']['keyStores'];
  const onBackgroundError = (error: unknown): void => expect(error).toBeUndefined();
  const core = { catalog: on.catalog, keyStores, clock: systemClock, onBackgroundError };
  const jobs = { core, ...on.own() };
  const intentRecovery = new IntentRecovery({ ...jobs, onUnaccountedMaterial: () => undefined });
  const clusterIds = [clusterId];
  return new Reconciler({ ...jobs, intentRecovery, clusterIds, vendorClusterIds: clusterIds, copiesPerSecond: 1_000 });
}

describe('a new key of a vendor’s cluster', () => {
  test('is made on one member, never extractable, and proved on the others', async () => {
    await begin(3, { minimumMembers: 3 });
    const { material, memberNames } = await on.makeKey(cluster);
    expect([material.extractable, memberNames]).toEqual([false, ['a', 'b', 'c']]);
    expect(on.members.map(({ fault }) => fault.calls('C_GenerateKey'))).toEqual([1, 0, 0]);
    expect(on.members.map(({ fault }) => fault.calls('C_WrapKey') + fault.calls('C_UnwrapKey'))).toEqual([0, 0, 0]);
    for (const index of [0, 1]) await takeAway(index);
    await use(material);
    expect(alerts()).toEqual([]);
  });

  test('that comes late is waited for', async () => {
    await begin(2);
    vendor.isHeld = true;
    let isMade = false;
    const making = on.makeKey(cluster).finally(() => (isMade = true));
    await waitFor(() => expect(vendor.counts()).toEqual([1, 0]));
    await waitFor(() => expect(on.member(1).fault.calls('C_FindObjectsInit')).toBeGreaterThan(3));
    expect(isMade).toBe(false);
    vendor.isHeld = false;
    expect((await making).memberNames).toEqual(['a', 'b']);
    expect(alerts()).toEqual([]);
  });

  test('that never comes is an error, and its abandoned copy is destroyed, also where it turns up later', async () => {
    await begin(2);
    vendor.isHeld = true;
    const materialId = randomIdentifiers.materialId();
    const request = { materialId, label: 'a label' };
    expect(await codeOf(cluster.perform('generateKeyMaterial', request, shortly()))).toBe('DEPENDENCY_TIMEOUT');
    expect(vendor.counts()).toEqual([1, 0]);
    await cluster.perform('destroyKeyMaterial', { materialId }, inTime());
    expect(vendor.counts()).toEqual([0, 0]);
    expect(alerts()).toEqual([]);
  });

  test('is refused if fewer members than the minimum take work, before a token is asked; keys are used all the same', async () => {
    await begin(2);
    const { material } = await on.makeKey(cluster);
    await takeAway(1);
    expect(await codeOf(on.makeKey(cluster))).toBe('CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION');
    expect(on.member(0).fault.calls('C_GenerateKey')).toBe(1);
    await use(material);
  });

  test('needs no other member if the configuration declares one', async () => {
    await begin(1);
    expect((await on.makeKey(cluster)).memberNames).toEqual(['a']);
  });

  test('is on one member until the others have it: no caller pays for that, and the comparison waits for it', async () => {
    await begin(2, { minimumMembers: 1 });
    vendor.isHeld = true;
    const { material, memberNames } = await on.makeKey(cluster);
    expect(memberNames).toEqual(['a']);
    for (let count = 0; count < 10; count += 1) await use(material);
    const job = reconciler();
    expect((await job.reconcile(clusterId)).members).toMatchObject([
      { memberName: 'a', present: 1, missing: 0 },
      { memberName: 'b', present: 0, missing: 1, copied: 0, failed: 0 },
    ]);
    vendor.isHeld = false;
    await waitFor(() => expect(vendor.counts()).toEqual([1, 1]));
    expect((await job.reconcile(clusterId)).members).toMatchObject([{ missing: 0 }, { present: 1, missing: 0 }]);
    await takeAway(0);
    await use(material);
    expect(alerts()).toEqual([]);
  });
});

describe('a deletion on a vendor’s cluster', () => {
  test('succeeds if the vendor has removed the key from the others already', async () => {
    await begin(2);
    const { material } = await on.makeKey(cluster);
    await destroy(material);
    await destroy(material);
    expect(vendor.counts()).toEqual([0, 0]);
  });

  test('succeeds if the others lose the key while they destroy it', async () => {
    await begin(2);
    const { material } = await on.makeKey(cluster);
    // CKR_OBJECT_HANDLE_INVALID, once: found, and gone before it could be destroyed.
    on.member(1).fault.obey('C_DestroyObject times 1 rv 0x82');
    await destroy(material);
    await waitFor(() => expect(vendor.counts()).toEqual([0, 0]));
  });

  test('succeeds while a member is away: the vendor removes its copy', async () => {
    await begin(2);
    const { material } = await on.makeKey(cluster);
    await takeAway(1);
    await destroy(material);
    await waitFor(() => expect(vendor.counts()).toEqual([0, 0]));
  });
});
