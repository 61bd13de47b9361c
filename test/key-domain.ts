import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ActAudit, serviceActor } from '../src/audit/act-audit.js';
import type { AuditEvent } from '../src/audit/event.js';
import type { RequestContext } from '../src/calls/request-context.js';
import { HoldfastError } from '../src/errors.js';
import type { LeaseTools } from '../src/coordination/held-lease.js';
import { randomIdentifiers } from '../src/ids.js';
import type { KeysCore } from '../src/keys/core.js';
import { createKey, type CreateKeyRequest } from '../src/operations/keys/create-key.js';
import type { KeyRecord } from '../src/keys/key.js';
import type { Scope } from '../src/calls/scope.js';
import { findVisibleKey } from '../src/keys/resolve-key.js';
import type { DeletionHold } from '../src/keys/time-record.js';
import { TimeWatch } from '../src/jobs/time-watch.js';
import type { KeyLocation, KeyStores, NewKeyPlace } from '../src/keystores/key-stores.js';
import type { ConnectionState, StoreRecord } from '../src/keystores/store.js';
import type { HsmCluster, ClusterDescription } from '../src/clusters/hsm-cluster.js';
import type { SqliteCatalog } from '../src/storage/sqlite.js';
import type { DestructionWitness } from '../src/jobs/witness-refresh.js';
import { openTestCatalog } from './catalog-file.js';
import { testWitness } from './test-witness.js';
import { ManualClock } from './manual-clock.js';
import { type SoftwareHsmCluster, SoftwareHsmClusters } from './software-hsm.js';

export const scope: Scope = { account: '111122223333', region: 'eu-central-1' };
export const customKeyStoreId = 'cks-1234567890abcdef0';
const clusterIds = { default: 'cluster-abcdefghijk', custom: 'cluster-bcdefghijkl' };

/**
 * Keys and operations over a real SQLite catalog and two software clusters: the default key store's, and that of one
 * CONNECTED custom key store. Time stands still until a test moves it.
 */
export interface KeyDomain {
  core: KeysCore;
  catalog: SqliteCatalog;
  clock: ManualClock;
  keyStores: TestKeyStores;
  defaultCluster: SoftwareHsmCluster;
  customCluster: SoftwareHsmCluster;
  /** The dependencies of the periodic jobs, besides the core. */
  own: { audit: ActAudit; timeWatch: TimeWatch; leases: LeaseTools; witness: DestructionWitness };
  /** Audit records of the service's own acts. */
  auditEvents: AuditEvent[];
  /** The failure of the audit log; undefined: it writes. */
  auditFailure: { error: Error | undefined };
  /** The reported holds on deletions. */
  holds: (DeletionHold | null)[];
  /** The errors reported to `onBackgroundError`. */
  backgroundErrors: { error: unknown; what: string }[];
  /** A caller of `scope`, or of another one, with ten seconds left. */
  context(of?: Partial<Scope>): RequestContext;
  /** The record of a new key of the default key store, or of the custom one. */
  newKey(where?: 'default' | 'custom', kind?: Pick<CreateKeyRequest, 'keySpec' | 'keyUsage'>): Promise<KeyRecord>;
  /** The key as the catalog has it now, including tombstones. */
  reread(key: KeyRecord): Promise<KeyRecord>;
  close(): Promise<void>;
}

export async function openKeyDomain(): Promise<KeyDomain> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-key-domain-'));
  const clock = new ManualClock();
  const catalog = await openTestCatalog({ path: join(folder, 'catalog.sqlite'), clock });
  const clusters = new SoftwareHsmClusters(clock);
  const defaultCluster = clusters.add(clusterIds.default, 'default');
  const customCluster = clusters.add(clusterIds.custom, 'payments');
  await addConnectedStore(catalog, clock);
  const keyStores = new TestKeyStores(catalog, clusters, defaultCluster, customCluster);
  const backgroundErrors: KeyDomain['backgroundErrors'] = [];
  const core: KeysCore = {
    catalog,
    keyStores,
    identity: { partition: 'aws', region: scope.region, accounts: [scope.account] },
    clock,
    identifiers: randomIdentifiers,
    onBackgroundError: (error, what) => void backgroundErrors.push({ error, what }),
  };
  const { audit, auditEvents, auditFailure } = recordingAudit(clock);
  const holds: KeyDomain['holds'] = [];
  const timeWatch = new TimeWatch({
    catalog,
    clock,
    audit,
    onHold: (hold) => void holds.push(hold),
    onBackgroundError: core.onBackgroundError,
  });
  const leases = { leases: catalog, clock, holder: 'a process' };
  const context: KeyDomain['context'] = (of = {}) => ({
    requestId: 'a-request',
    principal: { ...scope, ...of, name: 'alice', arn: 'arn:aws:iam::111122223333:user/alice' },
    deadlineMs: clock.monotonicMs() + 10_000,
  });
  return {
    core,
    catalog,
    clock,
    keyStores,
    defaultCluster,
    customCluster,
    own: { audit, timeWatch, leases, witness: testWitness(core, catalog, audit, leases) },
    auditEvents,
    auditFailure,
    holds,
    backgroundErrors,
    context,
    async newKey(where = 'default', kind = {}) {
      const request = where === 'default' ? kind : { ...kind, origin: 'AWS_CLOUDHSM', customKeyStoreId };
      const { keyMetadata } = await createKey(core, { request }, context());
      return findVisibleKey(core, scope, keyMetadata.keyId);
    },
    async reread(key) {
      const found = await catalog.findKey(key, key.keyId);
      if (found === undefined) throw new Error(`The catalog has no key ${key.keyId}.`);
      return found;
    },
    async close() {
      await catalog.close();
      rmSync(folder, { recursive: true });
    },
  };
}

function recordingAudit(clock: ManualClock): Pick<KeyDomain, 'auditEvents' | 'auditFailure'> & { audit: ActAudit } {
  const auditEvents: AuditEvent[] = [];
  const auditFailure: KeyDomain['auditFailure'] = { error: undefined };
  const append = (event: AuditEvent): Promise<void> => {
    if (auditFailure.error !== undefined) return Promise.reject(auditFailure.error);
    auditEvents.push(event);
    return Promise.resolve();
  };
  const auditLog = { append, healthy: () => auditFailure.error === undefined };
  const tools = { auditLog, clock, identifiers: randomIdentifiers, actor: serviceActor, onActed: () => undefined };
  return { audit: new ActAudit(tools), auditEvents, auditFailure };
}

/**
 * `KeyStores` whose connections a test switches: `disconnected` contains the clusters that this process cannot reach.
 */
class TestKeyStores implements KeyStores {
  readonly disconnected = new Set<string>();
  readonly #catalog: SqliteCatalog;
  readonly #clusters: SoftwareHsmClusters;
  readonly #byId: ReadonlyMap<string, SoftwareHsmCluster>;

  constructor(catalog: SqliteCatalog, clusters: SoftwareHsmClusters, ...connected: SoftwareHsmCluster[]) {
    this.#catalog = catalog;
    this.#clusters = clusters;
    this.#byId = new Map(connected.map((cluster) => [cluster.clusterId, cluster]));
  }

  /** Disconnects the custom key store: its published state, and the connection of this process. */
  async setConnection(state: ConnectionState): Promise<void> {
    const from = ['CONNECTED', 'CONNECTING', 'FAILED', 'DISCONNECTED', 'DISCONNECTING'] as const;
    await this.#catalog.changeConnectionState(
      customKeyStoreId,
      from,
      state,
      state === 'FAILED' ? 'INTERNAL_ERROR' : null,
    );
    if (state === 'CONNECTED') this.disconnected.delete(clusterIds.custom);
    else this.disconnected.add(clusterIds.custom);
  }

  clusterOf(location: KeyLocation, keyArn: string): HsmCluster {
    const cluster = this.connectedCluster(location.clusterId);
    if (cluster !== undefined) return cluster;
    const retryable = true;
    if (location.customKeyStoreId !== null)
      throw new HoldfastError('KMS_INVALID_STATE', `${keyArn} is unavailable.`, { retryable });
    throw new HoldfastError('KEY_UNAVAILABLE', 'The default key store is not connected.', { retryable });
  }

  async clusterForNewKey(of: Scope, storeId: string | undefined): Promise<NewKeyPlace> {
    if (storeId === undefined) return this.#place(clusterIds.default, null);
    const store = await this.#catalog.findStore(of, storeId);
    if (store === undefined) throw new HoldfastError('CUSTOM_KEY_STORE_NOT_FOUND', `No store ${storeId}.`);
    return this.#place(clusterIds.custom, storeId);
  }

  async clusterForRandom(of: Scope, storeId: string | undefined): Promise<HsmCluster> {
    return (await this.clusterForNewKey(of, storeId)).cluster;
  }

  connectedCluster(clusterId: string): HsmCluster | undefined {
    return this.disconnected.has(clusterId) ? undefined : this.#byId.get(clusterId);
  }

  async connectionStateOf(storeId: string | null): Promise<ConnectionState> {
    if (storeId === null) return this.disconnected.has(clusterIds.default) ? 'CONNECTING' : 'CONNECTED';
    return (await this.#catalog.findStore(scope, storeId))?.connectionState ?? 'DISCONNECTED';
  }

  describeCluster(clusterId: string): ClusterDescription | undefined {
    return this.#clusters.describe(clusterId);
  }

  #place(clusterId: string, storeId: string | null): NewKeyPlace {
    const cluster = this.connectedCluster(clusterId);
    const description = this.describeCluster(clusterId);
    if (cluster !== undefined && description !== undefined) {
      return { cluster, description, customKeyStoreId: storeId, origin: storeId === null ? 'AWS_KMS' : 'AWS_CLOUDHSM' };
    }
    const code = storeId === null ? 'KEY_UNAVAILABLE' : 'CUSTOM_KEY_STORE_INVALID_STATE';
    throw new HoldfastError(code, 'Not connected.', { retryable: true });
  }
}

async function addConnectedStore(catalog: SqliteCatalog, clock: ManualClock): Promise<void> {
  const store: StoreRecord = {
    ...scope,
    customKeyStoreId,
    name: 'payments',
    clusterId: clusterIds.custom,
    trustAnchorCertificate: 'not read by these tests',
    password: { sealingKeyId: 'test', nonce: new Uint8Array(12), ciphertext: new Uint8Array(16) },
    passwordVersion: 1,
    connectionState: 'CONNECTED',
    connectionErrorCode: null,
    creationDate: clock.now(),
  };
  await catalog.createStore(store, 10);
}
