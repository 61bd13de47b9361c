/** Custom key stores over a real SQLite catalog, with scripted HSM clusters and a clock that the test moves. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RequestContext } from '../../src/calls/request-context.js';
import { randomIdentifiers } from '../../src/ids.js';
import type { KeyStoreAdministration } from '../../src/keystores/administration.js';
import type { ConnectionEvents } from '../../src/keystores/connection-events.js';
import { createCustomKeyStore } from '../../src/operations/key-stores/create-custom-key-store.js';
import type { ClusterDescription } from '../../src/clusters/hsm-cluster.js';
import { DefaultPin } from '../../src/keystores/default-pin.js';
import { KeyStoreRegistry } from '../../src/keystores/registry.js';
import { derOfCertificate } from '../../src/operations/key-stores/trust-anchor.js';
import { Secret } from '../../src/secret.js';
import { createPasswordSealer } from '../../src/storage/password-sealer.js';
import type { SqliteCatalog } from '../../src/storage/sqlite.js';
import { openTestCatalog } from '../catalog-file.js';
import { CertificateAuthority } from '../certificates.js';
import { ManualClock } from '../manual-clock.js';
import { FakePinTrials } from './fake-pin-trials.js';
import { FakeHsmClusters } from './fake-hsm-clusters.js';

export const defaultCluster = 'cluster-defau2t2345';
/** A and B share a trust anchor; the third cluster has a different one. */
export const clusterA = 'cluster-aaaaaaaaaaa';
export const clusterB = 'cluster-bbbbbbbbbbb';
export const clusterOther = 'cluster-ccccccccccc';
/** A cluster with fewer members than required. */
export const clusterTooSmall = 'cluster-ddddddddddd';

export interface KeyStoreFixture {
  core: KeyStoreAdministration;
  catalog: SqliteCatalog;
  clusters: FakeHsmClusters;
  /** Tries no HSM: every PIN is accepted unless `failure` is set. */
  pinTrials: FakePinTrials;
  clock: ManualClock;
  context: RequestContext;
  registry: KeyStoreRegistry;
  /** The names of events, in order. */
  events: string[];
  trustAnchor: string;
  otherTrustAnchor: string;
  /** Another registry on the same catalog: a second process, or the first after a restart. */
  anotherRegistry(): KeyStoreRegistry;
  /** Creates a store and returns its id. */
  createStore(properties?: Partial<{ name: string; clusterId: string; password: string }>): Promise<string>;
  dispose(): Promise<void>;
}

export const contextOf = (account: string): RequestContext => ({
  requestId: 'a request',
  principal: { account, region: 'eu-central-1', arn: `arn:aws:iam::${account}:user/alice`, name: 'alice' },
  deadlineMs: Number.MAX_SAFE_INTEGER,
});

export async function createKeyStoreFixture(): Promise<KeyStoreFixture> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-key-stores-'));
  const [authority, otherAuthority] = [new CertificateAuthority('one'), new CertificateAuthority('two')];
  const [trustAnchor = '', otherTrustAnchor = ''] = [authority, otherAuthority].map(({ certificate }) =>
    certificate.toString(),
  );
  const clock = new ManualClock();
  const catalog = await openTestCatalog({ path: join(folder, 'catalog.db'), clock });
  const clusters = new FakeHsmClusters([
    description(defaultCluster, otherTrustAnchor),
    description(clusterA, trustAnchor),
    description(clusterB, trustAnchor),
    description(clusterOther, otherTrustAnchor),
    { ...description(clusterTooSmall, trustAnchor), minimumMembers: 2 },
  ]);
  const pinTrials = new FakePinTrials();
  const events: string[] = [];
  const anotherRegistry = (): KeyStoreRegistry =>
    new KeyStoreRegistry({
      keyStoreCatalog: catalog,
      passwordSealer: sealer,
      hsmClusters: clusters,
      clock,
      events: recordingEvents(events),
      random: () => 0,
      connectTimeoutMs: 60_000,
      closeTimeoutMs: 10_000,
      reconcileIntervalMs: 5_000,
      backoff: { firstDelayMs: 100, maximumDelayMs: 1_000 },
      defaultKeyStore: new DefaultPin(defaultCluster, Secret.fromUtf8('default-pin'), { catalog, sealer, clock }),
    });
  const registry = anotherRegistry();
  const context = contextOf('111122223333');
  const core: KeyStoreAdministration = {
    keyStoreCatalog: catalog,
    passwordSealer: sealer,
    hsmClusters: clusters,
    defaultClusterId: defaultCluster,
    ...{ defaultPin: null, isDefaultConnected: () => false },
    pinTrials,
    pinRotationCatalog: catalog,
    pinRotations: { advance: () => Promise.resolve(undefined) },
    connectionJobs: registry,
    clock,
    identifiers: randomIdentifiers,
  };
  const createStore: KeyStoreFixture['createStore'] = async ({
    name = 'a store',
    clusterId = clusterA,
    password = 'password1',
  } = {}) => {
    const request = {
      customKeyStoreName: name,
      cloudHsmClusterId: clusterId,
      trustAnchorCertificate: clusterId === clusterOther ? otherTrustAnchor : trustAnchor,
      keyStorePassword: Secret.fromUtf8(password),
    };
    return (await createCustomKeyStore(core, { request }, context)).customKeyStoreId;
  };
  const dispose = async (): Promise<void> => {
    await catalog.close();
    authority[Symbol.dispose]();
    otherAuthority[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  };
  const shared = { core, catalog, clusters, pinTrials, clock, context, registry, events };
  return { ...shared, trustAnchor, otherTrustAnchor, anotherRegistry, createStore, dispose };
}

function description(clusterId: string, trustAnchor: string): ClusterDescription {
  const trustAnchorDer = derOfCertificate(trustAnchor);
  if (trustAnchorDer === undefined) throw new Error('the fixture has no certificate');
  const shape = {
    replication: 'none',
    minimumMembers: 1,
    maximumPinLength: 32,
    pinRules: { alphabet: 'abcdefghijklmnopqrstuvwxyz', length: 28, minimumBytes: null, maximumBytes: null },
  } as const;
  return { ...shape, memberNames: ['one'], clusterId, name: clusterId, trustAnchorDer };
}

function recordingEvents(events: string[]): ConnectionEvents {
  return {
    connecting: ({ clusterId }) => void events.push(`connecting ${clusterId}`),
    connected: ({ clusterId }) => void events.push(`connected ${clusterId}`),
    connectFailed: ({ clusterId }, { errorCode, retryInMs }) =>
      void events.push(`failed ${clusterId} ${errorCode} ${retryInMs ?? 'for good'}`),
    foundFailed: ({ clusterId }, errorCode) => void events.push(`found failed ${clusterId} ${errorCode}`),
    disconnecting: ({ clusterId }) => void events.push(`disconnecting ${clusterId}`),
    disconnected: ({ clusterId }) => void events.push(`disconnected ${clusterId}`),
    connectionJobFailed: (customKeyStoreId, cause) =>
      void events.push(`job failed ${customKeyStoreId ?? 'default'}: ${String(cause)}`),
  };
}

const sealer = createPasswordSealer([{ id: 'test', key: new Secret(randomBytes(32)) }]);
