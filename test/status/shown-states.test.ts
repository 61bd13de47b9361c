import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ServerStatus } from '../../src/composition/service-status.js';
import type { ClusterStatus } from '../../src/hsm/clusters.js';
import { connectCustomKeyStore } from '../../src/operations/key-stores/connect-custom-key-store.js';
import { deleteCustomKeyStore } from '../../src/operations/key-stores/delete-custom-key-store.js';
import { disconnectCustomKeyStore } from '../../src/operations/key-stores/disconnect-custom-key-store.js';
import type { KeyStoreRegistry } from '../../src/keystores/registry.js';
import { updateCustomKeyStore } from '../../src/operations/key-stores/update-custom-key-store.js';
import type { gaugeDefinitions } from '../../src/telemetry/metric-definitions.js';
import { Metrics } from '../../src/telemetry/metrics.js';
import { showClusters } from '../../src/telemetry/hsm-metrics.js';
import { showStatus } from '../../src/telemetry/status-metrics.js';
import { clusterA, createKeyStoreFixture, defaultCluster, type KeyStoreFixture } from '../keystores/fixture.js';
import { unremarkable } from '../member-condition.js';
import { waitFor } from '../wait-for.js';

/**
 * The key stores and members in a scrape, depending on what happened before: in this process, before its start, in
 * another one.
 */

const reconcileMs = 5_000;
const wrongPin = { connected: false, errorCode: 'INVALID_CREDENTIALS', transient: false, cause: 'wrong' } as const;
const away = { connected: false, errorCode: 'NETWORK_ERRORS', transient: true, cause: 'unplugged' } as const;
const clusters = [defaultCluster, clusterA].map((id) => ({ id, name: id, members: [{ name: 'one' }] }));

let fixture: KeyStoreFixture;
let started: KeyStoreRegistry[];
let id: string;

beforeEach(async () => {
  fixture = await createKeyStoreFixture();
  started = [];
  id = await fixture.createStore({ name: 'a name of a caller' });
});

afterEach(async () => {
  for (const registry of started) await registry.stop(0);
  await fixture.dispose();
});

async function start(registry = fixture.registry): Promise<KeyStoreRegistry> {
  started.push(registry);
  await registry.start();
  return registry;
}

const request = () => ({ request: { customKeyStoreId: id } });
const connect = () => connectCustomKeyStore(fixture.core, request(), fixture.context);
const disconnect = () => disconnectCustomKeyStore(fixture.core, request(), fixture.context);
const stateIs = (state: string) =>
  waitFor(async () => {
    const store = await fixture.catalog.findStore(fixture.context.principal, id);
    expect(store?.connectionState).toBe(state);
  });

/** Lets this many reconciliations pass. */
async function reconcile(times = 3): Promise<void> {
  for (let round = 0; round < times; round += 1) {
    fixture.clock.advance(reconcileMs);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function statusOf(registry: KeyStoreRegistry): ServerStatus {
  const parts = {
    connections: registry,
    loginAttempts: fixture.catalog,
    clusters: (): ClusterStatus[] =>
      clusters.map(({ id: clusterId }) => ({
        clusterId,
        minimumMembers: 2,
        generation: undefined,
        members: [
          {
            name: 'one',
            breaker: fixture.clusters.open.has(clusterId) ? ('closed' as const) : undefined,
            isOpen: fixture.clusters.open.has(clusterId),
            statistics: { admitted: true } as ClusterStatus['members'][number]['statistics'],
            isStuck: false,
            ...unremarkable,
          },
        ],
      })),
    catalog: { findTimeRecord: () => fixture.catalog.findTimeRecord(), isWritable: () => true },
    members: { unaccountedMaterials: () => 0, witnessOf: () => null },
    capacityOf: () => undefined,
    pinAgeOf: () => undefined,
    encryptionBudgetUsed: () => 0,
    audit: () => ({ file: '/audit.log', writable: true, inPlace: true, lostRecords: 0 }),
    backups: () => undefined,
    disks: () => Promise.resolve([]),
    certificates: () => [],
    certificateTrouble: () => null,
    configurationTrouble: () => null,
    process: () => ({ version: '1', startTime: new Date(0), replacement: 'none' as const }),
  };
  return new ServerStatus(parts, clusters);
}

const metrics = new Metrics(clusters);

/** The lines of a scrape that are 1 (or more) and concern this store. */
async function shownOf(registry: KeyStoreRegistry, keyStore = id): Promise<string[]> {
  showStatus(metrics, await statusOf(registry).status());
  return (await metrics.scrape())
    .split('\n')
    .filter((line) => line.includes(`key_store="${keyStore}"`) && !line.endsWith(' 0'))
    .map((line) => line.replace(/^holdfast_/, '').replace(`key_store="${keyStore}",cluster="${clusterA}"`, '…'));
}

const failedLines = [
  'key_store_connection_state{…,state="FAILED"} 1',
  'key_store_failed{…,error_code="INVALID_CREDENTIALS"} 1',
];

async function failedStore(): Promise<KeyStoreRegistry> {
  fixture.clusters.script(clusterA, { outcome: wrongPin });
  const registry = await start();
  await connect();
  await stateIs('FAILED');
  return registry;
}

describe('a key store that failed', () => {
  test('is FAILED, with its code, after more than two reconciliations too; its log says nothing of a disconnect', async () => {
    const registry = await failedStore();
    expect(await shownOf(registry)).toEqual(failedLines);
    await reconcile();
    expect(await shownOf(registry)).toEqual(failedLines);
    expect(fixture.events.filter((event) => event === `disconnected ${clusterA}`)).toEqual([]);
  });

  test('is FAILED after a restart, which logs it, and in a process that was not involved', async () => {
    const registry = await failedStore();
    await registry.stop(0);
    const restarted = await start(fixture.anotherRegistry());
    expect(fixture.events).toContain(`found failed ${clusterA} INVALID_CREDENTIALS`);
    expect(await shownOf(restarted)).toEqual(failedLines);
    await reconcile();
    expect(await shownOf(restarted)).toEqual(failedLines);
  });

  test('is no longer FAILED once it is disconnected, and has no series once it is deleted', async () => {
    const registry = await failedStore();
    await disconnect();
    await stateIs('DISCONNECTED');
    expect(await shownOf(registry)).toEqual(['key_store_connection_state{…,state="DISCONNECTED"} 1']);
    await deleteCustomKeyStore(fixture.core, request(), fixture.context);
    expect(await shownOf(registry)).toEqual([]);
    expect(await metrics.scrape()).not.toContain(id);
  });
});

test('a store that connects is CONNECTED and serves; a new name changes no series', async () => {
  const registry = await start();
  await connect();
  await stateIs('CONNECTED');
  const connected = ['key_store_connection_state{…,state="CONNECTED"} 1', 'key_store_serving{…} 1'];
  await waitFor(async () => expect(await shownOf(registry)).toEqual(connected));
  const renamed = { request: { customKeyStoreId: id, newCustomKeyStoreName: 'another name' } };
  await updateCustomKeyStore(fixture.core, renamed, fixture.context);
  expect(await shownOf(registry)).toEqual(connected);
  expect(await metrics.scrape()).not.toMatch(/another name|a name of a caller/);
});

test('a store that another process connected is CONNECTED, and does not serve here', async () => {
  await start();
  const other = await start(fixture.anotherRegistry());
  await connect();
  await stateIs('CONNECTED');
  expect(await shownOf(other)).toEqual(['key_store_connection_state{…,state="CONNECTED"} 1']);
});

test('a store that is created while the process runs appears at the next scrape', async () => {
  const registry = await start();
  expect(await shownOf(registry)).toEqual(['key_store_connection_state{…,state="DISCONNECTED"} 1']);
});

describe('the default key store', () => {
  const shown = async (registry: KeyStoreRegistry) =>
    (await shownOf(registry, 'default')).map((line) =>
      line.replace(`key_store="default",cluster="${defaultCluster}"`, '…'),
    );

  test('shows that it is being retried, and why', async () => {
    fixture.clusters.script(defaultCluster, { outcome: away });
    const registry = await start();
    await waitFor(() => expect(fixture.events.join()).toContain(`failed ${defaultCluster} NETWORK_ERRORS`));
    expect(await shown(registry)).toEqual(['key_store_connection_state{…,state="CONNECTING"} 1']);
    const { keyStores } = await statusOf(registry).status();
    expect(keyStores[0]).toMatchObject({ customKeyStoreId: null, connectionErrorCode: 'NETWORK_ERRORS' });
  });

  test('is FAILED for good when its PIN is refused, with its code', async () => {
    fixture.clusters.script(defaultCluster, { outcome: wrongPin });
    const registry = await start();
    await waitFor(async () => expect(await shown(registry)).toEqual(failedLines));
    await reconcile();
    expect(await shown(registry)).toEqual(failedLines);
  });
});

describe('refused PINs', () => {
  const refused = async (registry: KeyStoreRegistry) =>
    (await shownOf(registry)).find((line) => line.startsWith('hsm_refused_pins')) ?? 'none';

  test('are shown after a restart, for the present PIN of the store, until it changes or they are forgotten', async () => {
    const store = await fixture.catalog.findStore(fixture.context.principal, id);
    const registry = await start();
    const [connection] = await registry.customConnections();
    expect(store?.customKeyStoreId).toBe(id);
    const version = connection?.credentialVersion ?? '';
    const claimant = { processName: 'a process', lockDomain: 'some locks' };
    await fixture.catalog.claim('4711', version, claimant, fixture.clock.now());
    await fixture.catalog.record('4711', version, claimant, 'failed');
    await fixture.catalog.claim('4711', 'of an older password', claimant, fixture.clock.now());
    await fixture.catalog.record('4711', 'of an older password', claimant, 'failed');
    expect(await refused(registry)).toBe('hsm_refused_pins{…} 1');
    const restarted = await start(fixture.anotherRegistry());
    expect(await refused(restarted)).toBe('hsm_refused_pins{…} 1');
    await fixture.catalog.forgetLoginAttempts('4711');
    expect(await refused(restarted)).toBe('none');
  });
});

test('a catalog that cannot be read removes the series of its stores, and reports that', async () => {
  const registry = await start();
  await shownOf(registry);
  const broken = vi.spyOn(registry, 'customConnections').mockRejectedValue(new Error('the disk is gone'));
  expect(await shownOf(registry)).toEqual([]);
  const text = await metrics.scrape();
  expect(text).toContain('\nholdfast_catalog_readable 0');
  expect(text).toMatch(/holdfast_key_store_connection_state\{key_store="default"/);
  broken.mockRestore();
  await shownOf(registry);
  expect(await metrics.scrape()).toContain('\nholdfast_catalog_readable 1');
});

describe('members', () => {
  const admitted = { admitted: true, lanes: 2, running: 1, quarantinedLanes: 0, queued: 3, epoch: 1, cachedHandles: 1 };
  const statistics = admitted as unknown as ClusterStatus['members'][number]['statistics'];
  const member = (change: Partial<ClusterStatus['members'][number]>): ClusterStatus[] => [
    {
      clusterId: clusterA,
      minimumMembers: 2,
      generation: undefined,
      members: [
        { name: 'one', breaker: 'closed', isOpen: true, statistics, isStuck: false, ...unremarkable, ...change },
      ],
    },
  ];
  const shown = async (status: ClusterStatus[]) => {
    showClusters(metrics, status);
    return (await metrics.scrape())
      .split('\n')
      .filter(
        (line) => /member="one"/.test(line) && line.includes(clusterA) && !/_total/.test(line) && !line.endsWith(' 0'),
      )
      .map((line) => line.replace(/^holdfast_hsm_/, '').replace(`cluster="${clusterA}",member="one"`, '…'));
  };

  test('nothing of an open member is left once its cluster is closed', async () => {
    expect(await shown(member({}))).toContain('member_admitted{…} 1');
    expect(await shown(member({ breaker: undefined, isOpen: false, statistics: undefined }))).toEqual([]);
  });

  test('a member whose token is lost shows its open breaker, although it is not open itself', async () => {
    expect(await shown(member({ breaker: 'open', isOpen: false, statistics: undefined }))).toEqual([
      'member_breaker_state{…,state="open"} 1',
    ]);
  });
});

/**
 * Every gauge, by what keeps it true. `asked`: set at each scrape (`refreshWith`), which also removes series of things
 * that no longer exist. `event`: set when something happens, from its first value on; then a reason must say why it
 * cannot become false.
 */
const keptTrue: Record<keyof typeof gaugeDefinitions, 'asked' | `event: ${string}` | `constant: ${string}`> = {
  certificateNotBefore: 'asked',
  certificateNotAfter: 'asked',
  grpcConnections: 'asked',
  grpcUnfinishedRequestBytes: 'asked',
  hsmMemberAdmitted: 'asked',
  hsmMemberBreaker: 'asked',
  hsmLanes: 'asked',
  hsmQueued: 'asked',
  hsmSessionEpoch: 'asked',
  hsmCachedHandles: 'asked',
  hsmMinimumMembers: 'asked',
  hsmOperationsPerSecond: 'asked',
  hsmUtilisation: 'asked',
  hsmCeiling: 'asked',
  hsmLimitTime: 'asked',
  hsmMissingMaterials: 'asked',
  hsmGeneration: 'asked',
  backupInterval: 'asked',
  backupTime: 'asked',
  backupDuration: 'asked',
  backupSize: 'asked',
  backupKeyMaterials: 'asked',
  backupVerifiedTime: 'asked',
  backupIncomplete: 'asked',
  backupRefused: 'asked',
  backupAbsent: 'asked',
  pinSince: 'asked',
  pinMaximumAge: 'asked',
  pinRotationFailed: 'asked',
  deletionsHeld: 'asked',
  unaccountedMaterials:
    'event: what the last inventory saw, which each connect and each member that comes back makes anew',
  witnessFailing: 'event: the outcome of the last write, which every round tries again',
  keyStoreState: 'asked',
  keyStoreFailed: 'asked',
  keyStoreServing: 'asked',
  refusedPins: 'asked',
  ready: 'asked',
  catalogReadable: 'asked',
  catalogWritable: 'asked',
  encryptionBudgetUsed: 'asked',
  encryptionBudgetWarned: 'asked',
  processWornOut: 'asked',
  processReplacement: 'event: begins at none; the one place that changes the state tells of each change',
  auditHealthy: 'asked',
  auditFileInPlace: 'asked',
  diskFree: 'asked',
  diskSize: 'asked',
  eventLoopDelay: 'asked',
  eventLoopUtilization: 'asked',
  residentMemory: 'asked',
  heapUsed: 'asked',
  externalMemory: 'asked',
  openFileDescriptors: 'asked',
  maximumFileDescriptors: 'asked',
  startTime: 'constant: the process has one start',
  buildInfo: 'constant: the process has one version',
};

test('events set only gauges with a stated reason', () => {
  const events = ['events.ts', 'own-act-events.ts']
    .map((file) => readFileSync(new URL(`../../src/telemetry/${file}`, import.meta.url), 'utf8'))
    .join('\n');
  const set = new Set([...events.matchAll(/gauges\.(\w+)\.(?:set|inc|dec)/g)].map(([, key]) => key));
  const allowed = Object.entries(keptTrue)
    .filter(([, how]) => how.startsWith('event'))
    .map(([key]) => key);
  expect([...set].sort()).toEqual(allowed.sort());
});
