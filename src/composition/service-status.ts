import type { BackupSummary } from '../backup/summary.js';
import type { ClusterCapacity } from '../clusters/capacity.js';
import type { ClusterStatus } from '../hsm/clusters.js';
import type { TimeRecord } from '../keys/time-record.js';
import type { LoginAttempt } from '../keystores/catalog.js';
import type { PinAgeStatus } from '../keystores/pin-age.js';
import type { StoreConnection } from '../keystores/store-connection.js';
import type {
  AuditStatus,
  CertificateStatus,
  DiskStatus,
  KeyStoreStatus,
  MemberStatus,
  ProcessStatus,
  ServiceStatus,
  StatusSource,
} from '../status/service-status.js';
import { readFileDescriptors } from './file-descriptors.js';
import { type MemberKnowledge, memberStatus } from './member-status.js';

/** The parts of the server that know their own status. Each answers for the present moment. */
export interface StatusParts {
  connections: {
    defaultConnection(): StoreConnection | undefined;
    customConnections(): Promise<StoreConnection[]>;
  };
  loginAttempts: { listLoginAttempts(): Promise<LoginAttempt[]> };
  clusters(): readonly ClusterStatus[];
  audit(): AuditStatus;
  backups(): BackupSummary | undefined;
  catalog: {
    findTimeRecord(): Promise<TimeRecord | undefined>;
    isWritable(): boolean;
  };
  capacityOf(clusterId: string): ClusterCapacity | undefined;
  members: MemberKnowledge;
  pinAgeOf(connection: StoreConnection): PinAgeStatus | undefined;
  encryptionBudgetUsed(): number;
  disks(): Promise<DiskStatus[]>;
  certificates(): CertificateStatus[];
  certificateTrouble(): string | null;
  configurationTrouble(): string | null;
  process(): Pick<ProcessStatus, 'version' | 'startTime' | 'replacement'>;
}

/** The part of a cluster's configuration that is shown. */
interface NamedCluster {
  id: string;
  name: string;
  trust?: 'enforced' | 'unenforced';
}

/** Combines the parts, for metrics, health and GetStatus. */
export class ServerStatus implements StatusSource {
  readonly #parts: StatusParts;
  readonly #clusters: ReadonlyMap<string, NamedCluster>;

  constructor(parts: StatusParts, clusters: readonly NamedCluster[]) {
    this.#parts = parts;
    this.#clusters = new Map(clusters.map((cluster) => [cluster.id, cluster]));
  }

  async status(): Promise<ServiceStatus> {
    const parts = this.#parts;
    const [stores, deletionHold, disks, descriptors] = await Promise.all([
      this.keyStores(),
      this.#deletionHold(),
      parts.disks(),
      readFileDescriptors(),
    ]);
    return {
      catalogReadable: stores !== undefined,
      catalogWritable: parts.catalog.isWritable(),
      deletionHold,
      encryptionBudgetUsed: parts.encryptionBudgetUsed(),
      keyStores: stores ?? this.#withClusters(this.#defaultConnections(), []),
      audit: parts.audit(),
      backups: parts.backups() ?? null,
      disks,
      certificates: parts.certificates(),
      certificateTrouble: parts.certificateTrouble(),
      configurationTrouble: parts.configurationTrouble(),
      process: {
        ...parts.process(),
        nodeVersion: process.version,
        openFileDescriptors: descriptors.open,
        maximumFileDescriptors: descriptors.maximum,
      },
    };
  }

  /** @returns undefined if the catalog cannot be read. */
  async keyStores(): Promise<KeyStoreStatus[] | undefined> {
    const { connections, loginAttempts } = this.#parts;
    try {
      const custom = await connections.customConnections();
      const attempts = await loginAttempts.listLoginAttempts();
      return this.#withClusters([...this.#defaultConnections(), ...custom], attempts);
    } catch {
      // The same failure fails every request, and the log reports it there.
      return undefined;
    }
  }

  /** Read from the catalog, because a command beside this process may just have released it. */
  async #deletionHold(): Promise<ServiceStatus['deletionHold']> {
    try {
      const hold = (await this.#parts.catalog.findTimeRecord())?.hold ?? null;
      return hold === null ? null : { reason: hold.reason, since: hold.since };
    } catch {
      // The log reports this failure too, as for the key stores.
      return null;
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
      const cluster = clusters.get(clusterId);
      const members = cluster?.members.map((member) => this.#memberStatus(clusterId, member)) ?? [];
      return {
        customKeyStoreId: store?.customKeyStoreId ?? null,
        scope: store === null ? null : { account: store.account, region: store.region },
        name: store?.name ?? null,
        clusterId,
        clusterName: this.#clusters.get(clusterId)?.name ?? 'unknown',
        connectionState: state,
        connectionErrorCode: state === 'FAILED' || state === 'CONNECTING' ? errorCode : null,
        serving: connected && members.some((member) => member.state === 'SERVING'),
        refusedTokens: refusedTokens(connection, attempts),
        pinAge: this.#parts.pinAgeOf(connection),
        minimumMembers: cluster?.minimumMembers ?? 0,
        ...this.#loadOf(clusterId),
        trust: this.#clusters.get(clusterId)?.trust,
        members,
      };
    });
  }

  #loadOf(clusterId: string): Pick<KeyStoreStatus, 'utilisation' | 'limitDate'> {
    const { utilisation = null, limitDate = null } = this.#parts.capacityOf(clusterId) ?? {};
    return { utilisation, limitDate };
  }

  #memberStatus(clusterId: string, member: ClusterStatus['members'][number]): MemberStatus {
    return memberStatus(clusterId, member, this.#parts.members);
  }
}

function refusedTokens({ credentialVersion }: StoreConnection, attempts: readonly LoginAttempt[]): string[] {
  return attempts
    .filter((attempt) => attempt.credentialVersion === credentialVersion && attempt.state === 'failed')
    .map(({ tokenSerialNumber }) => tokenSerialNumber);
}
