import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  clusterId,
  createHsmFixture,
  type HsmFixture,
  inTime,
  makeMaterial,
  pin,
  soon,
} from '../../test/hsm/fixture.js';
import { Secret } from '../secret.js';

let fixture: HsmFixture;

beforeEach(async () => {
  fixture = await createHsmFixture();
});

afterEach(() => fixture.dispose());

describe('connect', () => {
  test('logs in once per member, however many lanes', async () => {
    fixture.configure({ members: [fixture.member({ laneCount: 4 })] });
    const cluster = await fixture.connected();
    await Promise.all(Array.from({ length: 50 }, () => cluster.perform('random', { lengthBytes: 16 }, inTime())));
    expect(fixture.fault.calls('C_Login')).toBe(1);
    expect(fixture.events).toEqual(['opened one']);
  });

  test('describes the configuration', () => {
    const description = {
      clusterId,
      replication: 'none',
      minimumMembers: 1,
      memberNames: ['one'],
      maximumPinLength: 32,
    };
    expect(fixture.clusters().describe(clusterId)).toMatchObject(description);
    expect(fixture.clusters().list()).toHaveLength(1);
    expect(fixture.clusters().describe('cluster-unknown')).toBeUndefined();
  });

  test('keys outlive the connection', async () => {
    const first = await fixture.connected();
    const material = await makeMaterial(first);
    const encrypted = await first.perform(
      'encrypt',
      { material, plaintext: Secret.fromUtf8('lasting'), additionalData: new Uint8Array(2) },
      inTime(),
    );
    await fixture.clusters().disconnect(clusterId, soon());
    await expect(first.perform('random', { lengthBytes: 1 }, inTime())).rejects.toMatchObject({
      code: 'KEY_UNAVAILABLE',
    });
    const second = await fixture.connected();
    const plaintext = await second.perform(
      'decrypt',
      { material, encrypted, additionalData: new Uint8Array(2) },
      inTime(),
    );
    expect(Buffer.from(plaintext.reveal()).toString()).toBe('lasting');
  });

  test('a connected cluster is not connected again', async () => {
    const cluster = await fixture.connected();
    expect(await fixture.connect()).toMatchObject({ connected: false, errorCode: 'INTERNAL_ERROR' });
    expect((await cluster.perform('random', { lengthBytes: 4 }, inTime())).byteLength).toBe(4);
  });

  test('disconnecting an unconnected cluster is harmless', async () => {
    await expect(fixture.clusters().disconnect(clusterId, soon())).resolves.toBeUndefined();
    await expect(fixture.clusters().disconnect('cluster-unknown', soon())).resolves.toBeUndefined();
  });

  test.each([
    ['a token that is not there', { tokenLabel: 'beta' }, 'CLUSTER_NOT_FOUND'],
    ['a token of another serial number', { tokenLabel: null, tokenSerialNumber: 'ffff' }, 'CLUSTER_NOT_FOUND'],
  ] as const)('%s', async (_case, change, errorCode) => {
    fixture.configure({ members: [fixture.member(change)] });
    expect(await fixture.connect()).toMatchObject({ connected: false, errorCode, transient: true });
    expect(fixture.fault.calls('C_Login')).toBe(0);
  });

  test('a cluster that is not configured is reported as not found', async () => {
    const outcome = await fixture.clusters().connect('cluster-unknown', Secret.fromUtf8(pin), 'store:1', soon());
    expect(outcome).toMatchObject({ connected: false, errorCode: 'CLUSTER_NOT_FOUND', transient: false });
  });

  test('a module that does not load, or would end the process, connects once it is corrected', async () => {
    const whole = readFileSync(fixture.fault.module.libraryPath);
    const libraryPath = join(fixture.hsm.directory, 'module.so');
    const module = { ...fixture.fault.module, libraryPath };
    fixture.configure({ members: [fixture.member({ module })] });
    const failed = { connected: false, errorCode: 'INTERNAL_ERROR', transient: true };
    expect(await fixture.connect()).toMatchObject(failed);
    writeFileSync(libraryPath, whole.subarray(0, whole.length / 2));
    expect(await fixture.connect()).toMatchObject(failed);
    // As a package does: the old file may be in use.
    writeFileSync(`${libraryPath}.new`, whole);
    renameSync(`${libraryPath}.new`, libraryPath);
    expect(await fixture.connect()).toMatchObject({ connected: true });
  });

  test('a token that does not answer is not reported as missing', async () => {
    for (const name of ['C_GetTokenInfo', 'C_GetMechanismList', 'C_GetSlotList']) {
      fixture.fault.obey(`${name} rv 0x30`);
      const outcome = await fixture.connect();
      expect(outcome).toMatchObject({ connected: false, errorCode: 'NETWORK_ERRORS', transient: true });
      expect(String(!outcome.connected && outcome.cause)).toContain(`${name}: CKR_DEVICE_ERROR (0x30)`);
    }
  });

  test('a member that cannot be opened does not keep the others from opening', async () => {
    fixture.configure({
      members: [fixture.member({ name: 'absent', tokenLabel: 'beta' }), fixture.member({ name: 'present' })],
    });
    const cluster = await fixture.connected();
    expect(fixture.events).toEqual(['not opened absent', 'opened present']);
    const material = await makeMaterial(cluster);
    // A key is destroyed only when every member has confirmed it.
    await expect(
      cluster.perform('destroyKeyMaterial', { materialId: material.materialId }, { deadlineMs: soon() }),
    ).rejects.toMatchObject({
      code: 'KEY_UNAVAILABLE',
    });
  });

  test('eight processes that start together all find the token', async () => {
    const processes = Array.from({ length: 8 }, () => fixture.configure({}));
    const outcomes = await Promise.all(
      processes.map((clusters) => clusters.connect(clusterId, Secret.fromUtf8(pin), 'store:1', soon())),
    );
    expect(outcomes.flatMap((outcome) => (outcome.connected ? [] : [outcome.cause]))).toEqual([]);
    expect(outcomes).toHaveLength(8);
  });
});
