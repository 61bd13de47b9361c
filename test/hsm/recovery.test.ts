/** Members that are lost and return: without an operator, without a restart, and without a wrong login. */
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock-system.js';
import type { EncryptedData, HsmCluster, MaterialReference } from '../../src/clusters/hsm-cluster.js';
import { Secret } from '../../src/secret.js';
import { type FaultHsm, putFaultsBefore, type RemovalKind, removalKinds } from '../native/fault-hsm.js';
import { clusterId, codeOf, createHsmFixture, type HsmFixture, inTime, makeMaterial, pin, soon } from './fixture.js';
import { waitFor } from '../wait-for.js';

const additionalData = Uint8Array.of(0xff, 0xff, 1);

let fixture: HsmFixture;
let cluster: HsmCluster;
let material: MaterialReference;
let encrypted: EncryptedData;

const encrypt = () =>
  cluster.perform('encrypt', { material, plaintext: Secret.fromUtf8('x'), additionalData }, inTime());
const decrypt = (from: EncryptedData = encrypted) =>
  cluster.perform('decrypt', { material, encrypted: from, additionalData }, inTime());
const events = (wanted: string) => fixture.events.filter((event) => event === wanted).length;
const untilEvents = (event: string, times = 1) => waitFor(() => expect(events(event)).toBeGreaterThanOrEqual(times), 5);
const failedLogins = () => fixture.fault.counts('C_Login').failed;

beforeEach(async () => {
  fixture = await createHsmFixture();
});

afterEach(() => fixture.dispose());

async function connect(): Promise<void> {
  cluster = await fixture.connected();
  material = await makeMaterial(cluster);
  encrypted = await encrypt();
}

/** A second token with the same keys, with faults of its own: the view of a vendor's replication from here. */
function addSibling(change: { privateInstance?: boolean } = {}): FaultHsm {
  const sibling = putFaultsBefore(fixture.hsm, 'sibling', 'replica-2');
  const module = { ...sibling.module, ...change };
  fixture.configure({ members: [fixture.member(), fixture.member({ name: 'two', module })] });
  return sibling;
}

/** Polls until the member is suspended. */
async function untilSuspended(): Promise<void> {
  await waitFor(async () => {
    await codeOf(encrypt());
    expect(fixture.events).toContain('suspended one');
  }, 5);
}

describe.each(removalKinds)('a device that is away (%s)', (kind: RemovalKind) => {
  test('serves again once it is back', async () => {
    await connect();
    fixture.fault.remove(kind);
    await untilSuspended();
    expect(await codeOf(encrypt())).toBe('KEY_UNAVAILABLE');
    fixture.fault.restore();
    await untilEvents('resumed one');
    expect((await decrypt(await encrypt())).byteLength).toBe(1);
    expect((await decrypt()).byteLength).toBe(1);
    expect(failedLogins()).toBe(0);
  });

  test('is not noticed by callers if another member has the keys', async () => {
    addSibling();
    await connect();
    fixture.fault.remove(kind);
    const codes: string[] = [];
    for (let round = 0; round < 20; round += 1) codes.push(await codeOf(encrypt()), await codeOf(decrypt()));
    expect(new Set(codes)).toEqual(new Set(['no error']));
    fixture.fault.restore();
    await untilEvents('resumed one');
    expect(fixture.events).not.toContain('suspended two');
  });
});

test('a token whose folder vanished and returned serves again while its neighbour works', async () => {
  await connect();
  const tokens = join(fixture.hsm.directory, 'tokens');
  for (let round = 1; round <= 3; round += 1) {
    renameSync(tokens, `${tokens}.away`);
    await waitFor(async () => expect(await codeOf(encrypt())).toBe('KEY_UNAVAILABLE'));
    await untilEvents('not reconnected one', round);
    renameSync(`${tokens}.away`, tokens);
    await untilEvents('resumed one', round);
    expect((await decrypt()).byteLength).toBe(1);
  }
});

test('a lost login costs one login, and nothing else', async () => {
  await connect();
  const before = { logins: fixture.fault.calls('C_Login'), starts: fixture.fault.calls('C_Initialize') };
  fixture.fault.loseLogin();
  await untilSuspended();
  await untilEvents('resumed one');
  expect((await decrypt()).byteLength).toBe(1);
  expect(fixture.fault.calls('C_Login')).toBe(before.logins + 1);
  expect(fixture.fault.calls('C_Initialize')).toBe(before.starts);
  expect(failedLogins()).toBe(0);
});

test('lost sessions are opened anew', async () => {
  await connect();
  fixture.fault.loseSessions();
  // Each lane notices by itself, at its first work.
  await waitFor(async () => expect(await codeOf(encrypt())).toBe('no error'));
  await waitFor(async () => expect(await codeOf(decrypt())).toBe('no error'));
  expect(failedLogins()).toBe(0);
});

test('a token that flaps costs no failed login', async () => {
  await connect();
  for (let round = 1; round <= 25; round += 1) {
    fixture.fault.remove('device-removed');
    await untilSuspended();
    fixture.fault.restore();
    await untilEvents('resumed one', round);
    fixture.events.splice(fixture.events.indexOf('suspended one'), 1);
  }
  expect((await decrypt()).byteLength).toBe(1);
  expect(failedLogins()).toBe(0);
});

test('a PIN that was changed meanwhile costs one failed login; then the member stays out until the credential changes', async () => {
  addSibling();
  await connect();
  fixture.fault.remove('device-removed');
  await untilSuspended();
  fixture.fault.obey('C_Login rv 0xa0');
  fixture.fault.restore();
  await waitFor(() => expect(fixture.fault.calls('C_Login')).toBe(2));
  await waitFor(() => expect(fixture.events.filter((event) => event.startsWith('not reconnected'))).not.toEqual([]));
  const starts = fixture.fault.calls('C_Initialize');
  await new Promise((resolve) => setTimeout(resolve, 500));
  // The record is read, not the token.
  expect(fixture.fault.calls('C_Initialize')).toBe(starts);
  expect(fixture.fault.calls('C_Login')).toBe(2);
  expect(await codeOf(decrypt())).toBe('no error');

  fixture.fault.obey();
  await fixture.clusters().disconnect(clusterId, soon());
  expect(await fixture.connect({ credentialVersion: 'store:2' })).toMatchObject({ connected: true });
  expect(failedLogins()).toBe(1);
});

test('a restart continues with the tokens that accepted the PIN, if one has refused it', async () => {
  fixture.hsm.addToken({ label: 'beta', userPin: pin });
  const other = putFaultsBefore(fixture.hsm, 'other');
  const two = fixture.member({ name: 'two', module: other.module, tokenLabel: 'beta' });
  fixture.configure({ members: [fixture.member(), two] });
  await fixture.connected();
  await fixture.clusters().disconnect(clusterId, soon());
  fixture.fault.obey('C_Login rv 0xa0');
  expect(await fixture.connect()).toMatchObject({ connected: false, errorCode: 'INVALID_CREDENTIALS' });
  expect(other.calls('C_Login')).toBe(1);
  await fixture.connected();
  expect(fixture.events.slice(-2)).toEqual(['not opened one', 'opened two']);
  expect(failedLogins()).toBe(1);
});

test('after objects got other handles, none is used for another key', async () => {
  fixture.fault.set('renumberAtStart', 1);
  await connect();
  const other = await makeMaterial(cluster);
  for (let round = 1; round <= 3; round += 1) {
    fixture.fault.remove('device-removed');
    await untilSuspended();
    fixture.fault.restore();
    await untilEvents('resumed one', round);
    fixture.events.splice(fixture.events.indexOf('suspended one'), 1);
    const again = await encrypt();
    const { pool, member } = await fixture.intruder();
    await pool.inventory(member, soon());
    expect((await decrypt()).byteLength).toBe(1);
    expect((await decrypt(again)).byteLength).toBe(1);
    expect(
      await codeOf(cluster.perform('decrypt', { material: other, encrypted: again, additionalData }, inTime())),
    ).toBe('INVALID_CIPHERTEXT');
    await pool.close(soon());
  }
  expect(fixture.events.filter((event) => event.startsWith('material'))).toEqual([]);
});

test('handles that became another key’s with the lost sessions are proved before use', async () => {
  await connect();
  await makeMaterial(cluster);
  fixture.fault.renumberObjects();
  fixture.fault.loseSessions();
  const made: EncryptedData[] = [];
  for (let attempt = 0; attempt < 20; attempt += 1) {
    try {
      made.push(await encrypt());
    } catch {
      // Without another member, lost sessions may show in callers' errors.
    }
  }
  expect(made).not.toEqual([]);
  await fixture.clusters().disconnect(clusterId, soon());
  cluster = await fixture.connected();
  for (const one of made) expect((await decrypt(one)).byteLength).toBe(1);
});

test('a changed slot number does not matter', async () => {
  await connect();
  fixture.fault.remove('device-removed');
  await untilSuspended();
  fixture.fault.set('slotShift', 7);
  fixture.fault.restore();
  await untilEvents('resumed one');
  expect((await decrypt()).byteLength).toBe(1);
});

test('a member that is away when its cluster connects is opened later', async () => {
  const sibling = addSibling();
  sibling.remove('device-removed');
  await connect();
  expect(events('not opened two')).toBe(1);
  expect(await cluster.perform('listMaterialIds', {}, { deadlineMs: soon() })).toMatchObject([{ memberName: 'one' }]);
  sibling.restore();
  await untilEvents('opened two');
  await untilEvents('resumed two');
  expect(await cluster.perform('listMaterialIds', {}, { deadlineMs: soon() })).toHaveLength(2);
  fixture.fault.remove('device-removed');
  const codes: string[] = [];
  for (let round = 0; round < 10; round += 1) codes.push(await codeOf(decrypt()));
  expect(new Set(codes)).toEqual(new Set(['no error']));
});

test('a shared module is finalised once all its members are lost', async () => {
  const module = { ...fixture.fault.module, privateInstance: false };
  fixture.hsm.addToken({ label: 'beta', userPin: pin });
  const two = fixture.member({ name: 'two', module, tokenLabel: 'beta' });
  fixture.configure({ members: [fixture.member({ module }), two] });
  await connect();
  fixture.fault.remove('softhsm');
  await untilSuspended();
  await untilEvents('suspended two');
  fixture.fault.restore();
  await untilEvents('resumed one');
  await untilEvents('resumed two');
  expect((await decrypt()).byteLength).toBe(1);
  expect(fixture.fault.setting('wrongPins')).toBe(0);
});

describe('a hanging call', () => {
  const recovery = { openTimeoutMs: 300, reopenAfterProbes: 1, maximumProbeDelayMs: 50, maxStuckOpenings: 1 };

  test('in C_Initialize costs the other members nothing', async () => {
    const sibling = addSibling();
    const { hsm } = fixture;
    const third = putFaultsBefore(hsm, 'third', 'replica-3');
    sibling.obey('C_Initialize hang');
    const members = [
      fixture.member(),
      fixture.member({ name: 'two', module: sibling.module }),
      fixture.member({ name: 'three', module: third.module }),
    ];
    fixture.configure({ members, recovery: { ...recovery, openTimeoutMs: 4_000 } });
    await connect();
    expect(fixture.events).toContain('opened three');
    expect(fixture.events).toContain('not opened two');
    sibling.heal();
    await untilEvents('opened two');
  });

  test('is abandoned within a bound, makes the process ask to be replaced, and is forgotten once it returns', async () => {
    await connect();
    await fixture.clusters().disconnect(clusterId, soon());
    fixture.configure({ recovery: { ...recovery, openTimeoutMs: 2_000 }, operationTimeoutMs: 1_000 });
    cluster = await fixture.connected();
    fixture.fault.obey('C_DecryptInit hang', 'C_EncryptInit hang', 'C_GetTokenInfo hang');
    expect(await codeOf(encrypt())).toBe('DEPENDENCY_TIMEOUT');
    await untilEvents('stuck one');
    expect(events('stuck one')).toBe(1);
    const isStuck = () =>
      fixture
        .clusters()
        .status()[0]
        ?.members.map((member) => member.isStuck);
    await waitFor(() => expect(isStuck()).toEqual([true]));
    fixture.fault.heal();
    await untilEvents('resumed one');
    expect(isStuck()).toEqual([false]);
    expect((await decrypt()).byteLength).toBe(1);
    expect(failedLogins()).toBe(0);
  });

  const isStuck = () =>
    fixture
      .clusters()
      .status()[0]
      ?.members.map((member) => member.isStuck);

  test('in a shared instance keeps its members out, although only the first attempt is inside', async () => {
    const module = { ...fixture.fault.module, privateInstance: false };
    fixture.configure({ members: [fixture.member({ module })], recovery });
    await connect();
    fixture.fault.obey('C_Initialize hang');
    fixture.fault.remove('softhsm');
    await untilSuspended();
    await untilEvents('stuck one');
    expect(fixture.fault.inside('C_Initialize')).toBe(1);
    fixture.fault.restore();
    fixture.fault.heal();
    await untilEvents('resumed one');
    expect(isStuck()).toEqual([false]);
  });

  test.each([
    { privateInstance: true, hung: 2 },
    { privateInstance: false, hung: 1 },
  ])(
    'at every connect is abandoned $hung times at most (private: $privateInstance), and the cluster connects once nothing hangs',
    async ({ privateInstance, hung }) => {
      const module = { ...fixture.fault.module, privateInstance };
      fixture.configure({ members: [fixture.member({ module })], recovery });
      fixture.fault.obey('C_Initialize hang');
      const tryToConnect = () =>
        fixture
          .clusters()
          .connect(clusterId, Secret.fromUtf8(pin), 'store:1', systemClock.monotonicMs() + recovery.openTimeoutMs);
      for (let attempt = 0; attempt < 5; attempt += 1) {
        expect(isStuck()).toEqual([attempt > recovery.maxStuckOpenings]);
        expect(await tryToConnect()).toMatchObject({ connected: false, errorCode: 'NETWORK_ERRORS', transient: true });
      }
      expect(events('stuck one')).toBe(1);
      expect(fixture.fault.inside('C_Initialize')).toBe(hung);
      fixture.fault.heal();
      await waitFor(() => expect(isStuck()).toEqual([false]));
      await waitFor(async () => expect(await tryToConnect()).toMatchObject({ connected: true }));
      expect(failedLogins()).toBe(0);
    },
  );
});

test('a disconnect ends recovery, and no login follows it', async () => {
  await connect();
  fixture.fault.remove('device-removed');
  await untilSuspended();
  await untilEvents('not reconnected one');
  await fixture.clusters().disconnect(clusterId, systemClock.monotonicMs() + 5_000);
  const logins = fixture.fault.calls('C_Login');
  fixture.fault.restore();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(fixture.fault.calls('C_Login')).toBe(logins);
});
