import type { ClusterStatus } from '../hsm/clusters.js';
import type { LoginAttempt } from '../keystores/catalog.js';
import type { StoreConnection } from '../keystores/store-connection.js';
import type {
  AuditStatus,
  CertificateStatus,
  DiskStatus,
  KeyStoreStatus,
  MemberState,
  MemberStatus,
  ProcessStatus,
  ServiceStatus,
  StatusSource,
} from '../status/service-status.js';
import { readFileDescriptors } from './file-descriptors.js';

/** The parts of the server that know their own status. Each answers for now. */
export interface StatusParts {
  connections: {
    defaultConnection(): StoreConnection | undefined;
    customConnections(): Promise<StoreConnection[]>;
  };
  loginAttempts: { listLoginAttempts(): Promise<LoginAttempt[]> };
  clusters(): readonly ClusterStatus[];
  audit(): AuditStatus;
  disks(): Promise<DiskStatus[]>;
  certificates(): CertificateStatus[];
  process(): Pick<ProcessStatus, 'version' | 'startTime' | 'replacement'>;
}

/** Puts the parts together, for metrics, health and GetStatus. */
export class ServerStatus implements StatusSource {
  readonly #parts: StatusParts;
  readonly #clusterNames: ReadonlyMap<string, string>;

  constructor(parts: StatusParts, clusters: readonly { id: string; name: string }[]) {
    this.#parts = parts;
    this.#clusterNames = new Map(clusters.map(({ id, name }) => [id, name]));
  }

  async status(): Promise<ServiceStatus> {
    const parts = this.#parts;
    const [stores, disks, descriptors] = await Promise.all([this.keyStores(), parts.disks(), readFileDescriptors()]);
    return {
      catalogReadable: stores !== undefined,
      keyStores: stores ?? this.#withClusters(this.#defaultConnections(), []),
      audit: parts.audit(),
      disks,
      certificates: parts.certificates(),
      process: {
        ...parts.process(),
        nodeVersion: process.version,
        openFileDescriptors: descriptors.open,
        maximumFileDescriptors: descriptors.maximum,
      },
    };
  }

  /** @returns undefined when the catalog cannot be read. */
  async keyStores(): Promise<KeyStoreStatus[] | undefined> {
    const { connections, loginAttempts } = this.#parts;
    try {
      const custom = await connections.customConnections();
      const attempts = await loginAttempts.listLoginAttempts();
      return this.#withClusters([...this.#defaultConnections(), ...custom], attempts);
    } catch {
      // What keeps the catalog from being read is the cause of every request that fails, and in the log as that.
      return undefined;
    }
  }

  #defaultConnections(): StoreConnection[] {
    const found = this.#parts.connections.defaultConnection();
    return found === undefined ? [] : [found];
  }

  #withClusters(connections: readonly StoreConnection[], attempts: readonly LoginAttempt[]): KeyStoreStatus[] {
    const clusters = new Map(this.#parts.clusters().map((cluster) => [cluster.clusterId, cluster]));
    return connections.map((connection) => {
      const { store, clusterId, state, errorCode, connected } = connection;
      const members = clusters.get(clusterId)?.members.map(memberStatus) ?? [];
      return {
        customKeyStoreId: store?.customKeyStoreId ?? null,
        scope: store === null ? null : { account: store.account, region: store.region },
        name: store?.name ?? null,
        clusterId,
        clusterName: this.#clusterNames.get(clusterId) ?? 'unknown',
        connectionState: state,
        connectionErrorCode: state === 'FAILED' || state === 'CONNECTING' ? errorCode : null,
        serving: connected && members.some((member) => member.state === 'SERVING'),
        refusedTokens: refusedTokens(connection, attempts),
        members,
      };
    });
  }
}

function refusedTokens({ credentialVersion }: StoreConnection, attempts: readonly LoginAttempt[]): string[] {
  return attempts
    .filter((attempt) => attempt.credentialVersion === credentialVersion && attempt.state === 'failed')
    .map(({ tokenSerialNumber }) => tokenSerialNumber);
}

function memberStatus(member: ClusterStatus['members'][number]): MemberStatus {
  const { lanes = 0, running = 0, quarantinedLanes = 0, queued = 0 } = member.statistics ?? {};
  const counts = { lanes, busyLanes: running, quarantinedLanes, queuedOperations: queued };
  return { name: member.name, state: memberState(member), ...counts };
}

function memberState({ breaker, isOpen, statistics, wornOut }: ClusterStatus['members'][number]): MemberState {
  if (wornOut) return 'STUCK';
  if (breaker === undefined) return 'CLOSED';
  if (!isOpen) return 'AWAY';
  if (breaker === 'half-open') return 'PROBING';
  return breaker === 'closed' && statistics?.admitted === true ? 'SERVING' : 'SUSPENDED';
}
