import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTestCatalog } from '../../test/catalog-file.js';
import { ManualClock } from '../../test/manual-clock.js';
import type { Act } from '../audit/act-audit.js';
import type { PinTrialFailure } from '../clusters/pin-trials.js';
import { credentialVersionOf, sealPassword } from '../keystores/password.js';
import type { StoreRecord } from '../keystores/store.js';
import { Secret } from '../secret.js';
import { createPasswordSealer } from '../storage/password-sealer.js';
import type { SqliteCatalog } from '../storage/sqlite.js';
import { PinSchedule } from './pin-schedule.js';

const dayMs = 86_400_000;
const place = { customKeyStoreId: 'cks-1', clusterId: 'cluster-1' };
const sealer = createPasswordSealer([{ id: 'one', key: new Secret(new Uint8Array(32).fill(1)) }]);
const ofDefault = { store: null, clusterId: 'cluster-d', errorCode: null, connected: true } as const;

let folder: string;
let catalog: SqliteCatalog;
let clock: ManualClock;
let failure: PinTrialFailure | undefined;
let isWhole = true;
let defaultPin = 'default:one';
let acts: Act[];
let reported: unknown[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-pin-schedule-'));
  clock = new ManualClock();
  catalog = await openTestCatalog({ path: join(folder, 'catalog.db'), clock });
  [failure, isWhole, defaultPin, acts, reported] = [undefined, true, 'default:one', [], []];
  const password = sealPassword(sealer, Secret.fromUtf8('the first'), { ...place, passwordVersion: 1 });
  const store: StoreRecord = {
    ...{ account: '111122223333', region: 'eu', name: 'a store', trustAnchorCertificate: '', ...place },
    ...{ password, passwordVersion: 1, creationDate: clock.now(), connectionState: 'CONNECTED' },
    connectionErrorCode: null,
  };
  await catalog.createStore(store, 10);
});

afterEach(async () => {
  await catalog.close();
  rmSync(folder, { recursive: true });
});

async function stored(): Promise<StoreRecord> {
  const store = await catalog.findStoreByCluster(place.clusterId);
  if (store === undefined) throw new Error('there is no store');
  return store;
}

async function connection() {
  const store = await stored();
  const credentialVersion = credentialVersionOf(store);
  return {
    store,
    clusterId: place.clusterId,
    state: store.connectionState,
    errorCode: null,
    connected: true,
    credentialVersion,
  };
}

/** The schedule of a process; the members change their PINs at once, unless there is a failure. */
function schedule(rotateAfterDays: number | null = 30): PinSchedule {
  return new PinSchedule({
    ...{ catalog, clock, passwordSealer: sealer, defaultClusterId: null, isWhole: () => isWhole },
    hsmClusters: {
      describe: (clusterId) => ({
        ...{ clusterId, memberNames: ['a', 'b'], minimumMembers: 2, maximumPinLength: 32 },
        ...{ name: 'main', replication: 'wrapped', trustAnchorDer: new Uint8Array() },
        pinRules: { alphabet: 'abcdefghijklmnopqrstuvwxyz', length: 28, minimumBytes: null, maximumBytes: null },
      }),
    },
    connections: {
      defaultConnection: () => ({ ...ofDefault, state: 'CONNECTED', credentialVersion: defaultPin }),
      customConnections: async () => [await connection()],
    },
    rotations: {
      async advance(customKeyStoreId) {
        if (failure !== undefined) {
          await catalog.abandonPinRotation(customKeyStoreId);
          return failure;
        }
        for (const memberName of ['a', 'b'])
          await catalog.changePinPhase({ customKeyStoreId, memberName }, 'old', 'new');
        await catalog.completePinRotation(customKeyStoreId);
        return undefined;
      },
    },
    limits: { maximumAgeMs: 40 * dayMs, rotateAfterMs: rotateAfterDays === null ? null : rotateAfterDays * dayMs },
    audit: {
      perform(act, work) {
        acts.push(act);
        return work();
      },
    },
    leases: { leases: catalog, clock, holder: 'one process' },
    onBackgroundError: (error) => reported.push(error),
  });
}

const version = async () => (await stored()).passwordVersion;

test('a PIN is as old as its store, or as the first look at it', async () => {
  const made = clock.now();
  clock.advance(5 * dayMs);
  const looking = schedule();
  await looking.runNow();
  expect(looking.statusOf(await connection())).toEqual({
    sinceDate: made,
    maximumAgeMs: 40 * dayMs,
    rotationFailed: false,
  });
  const since = clock.now();
  expect(looking.statusOf({ store: null, credentialVersion: defaultPin })?.sinceDate).toEqual(since);
  clock.advance(dayMs);
  // Another process, or the same after a restart, knows it.
  const another = schedule();
  await another.runNow();
  expect(another.statusOf({ store: null, credentialVersion: defaultPin })?.sinceDate).toEqual(since);
  defaultPin = 'default:two';
  expect(another.statusOf({ store: null, credentialVersion: defaultPin })).toBeUndefined();
  await another.runNow();
  expect(another.statusOf({ store: null, credentialVersion: defaultPin })?.sinceDate).toEqual(clock.now());
});

test('an old PIN is rotated once, and audited as an act of the service', async () => {
  clock.advance(30 * dayMs - 1);
  await schedule().runNow();
  expect(await version()).toBe(1);
  clock.advance(1);
  const due = schedule();
  await Promise.all([due.runNow(), schedule().runNow()]);
  expect(await version()).toBe(2);
  expect(acts).toMatchObject([{ operation: 'RotatePin', parameters: { custom_key_store_id: 'cks-1' } }]);
  await due.runNow();
  expect(due.statusOf(await connection())).toMatchObject({ sinceDate: clock.now(), rotationFailed: false });
  expect(acts).toHaveLength(1);
});

test('without a limit nothing is rotated', async () => {
  clock.advance(1_000 * dayMs);
  await schedule(null).runNow();
  expect(await version()).toBe(1);
});

test('none is begun while a member is away, a rotation is open, or the store is not connected', async () => {
  clock.advance(31 * dayMs);
  isWhole = false;
  await schedule().runNow();
  isWhole = true;
  await catalog.changeConnectionState('cks-1', ['CONNECTED'], 'DISCONNECTED', null);
  await schedule().runNow();
  await catalog.changeConnectionState('cks-1', ['DISCONNECTED'], 'CONNECTED', null);
  const password = sealPassword(sealer, Secret.fromUtf8('a third'), { ...place, passwordVersion: 2 });
  const members = [{ memberName: 'a', phase: 'old' as const, round: 0 }];
  await catalog.beginPinRotation({ ...place, passwordVersion: 2, password, startedDate: clock.now(), members });
  await schedule().runNow();
  expect(acts).toEqual([]);
  await catalog.abandonPinRotation('cks-1');
  await schedule().runNow();
  expect(acts).toHaveLength(1);
});

test('one that fails is shown, and tried again after a day and not before, by any process', async () => {
  clock.advance(31 * dayMs);
  failure = {
    memberName: 'b',
    errorCode: 'NETWORK_ERRORS',
    transient: false,
    isWrongPin: false,
    cause: new Error('CKR_PIN_LEN_RANGE'),
  };
  const failing = schedule();
  await failing.runNow();
  expect(failing.statusOf(await connection())).toMatchObject({ rotationFailed: true });
  expect(reported).toHaveLength(1);
  for (let round = 0; round < 3; round += 1) await schedule().runNow();
  clock.advance(dayMs - 1);
  await schedule().runNow();
  expect(acts).toHaveLength(1);
  clock.advance(1);
  failure = undefined;
  const last = schedule();
  await last.runNow();
  expect(acts).toHaveLength(2);
  expect(await version()).toBe(2);
  expect(last.statusOf(await connection())).toMatchObject({ rotationFailed: false });
});
