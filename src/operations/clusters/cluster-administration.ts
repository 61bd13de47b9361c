import type { ClusterCapacity } from '../../clusters/capacity.js';
import type { ClusterDescription } from '../../clusters/hsm-cluster.js';
import type { KeySpec } from '../../keys/key-specs.js';
import type { MemberLoad } from '../../clusters/load-meter.js';
import type { MemberState, WitnessStatus } from '../../status/service-status.js';

/** The port to the clusters for operators: what they are and hold, maintenance, repair. Implemented by `composition/`. */
export interface ClusterAdministration {
  /** The clusters of the configuration, in its order, as this process sees them. Asks no HSM. */
  reports(): ClusterReport[];
  /**
   * Resolves once the member has no work and no sessions, here; other processes follow within seconds.
   * @throws CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION if no other member takes work, unless forced
   */
  drain(place: { clusterId: string; memberName: string }, force: boolean, deadlineMs: number): Promise<void>;
  /** Begins to open the member again. */
  resume(place: { clusterId: string; memberName: string }): Promise<void>;
  /** Begins a comparison with the catalog, or has another follow the one that is under way. */
  startReconciling(clusterId: string, dryRun: boolean): void;
}

/** One cluster. */
export interface ClusterReport
  extends Pick<ClusterDescription, 'clusterId' | 'name' | 'replication' | 'trust' | 'minimumMembers'> {
  /** Whether it is connected in this process. */
  connected: boolean;
  /** The generation of wrapping keys in use; undefined unless it is wrapped and connected. */
  generation: number | undefined;
  members: MemberReport[];
  /** The last comparison in this process, or the one that is under way. */
  reconciliation: ReconciliationReport | undefined;
  /** Its load and what it can take; undefined if it has never been connected in this process. */
  capacity: ClusterCapacity | undefined;
}

/** One member. All counts are 0 while it is not open. */
export interface MemberReport extends MemberLoad {
  name: string;
  state: MemberState;
  /** As seen when it was last opened. */
  token: TokenReport | undefined;
  /** Of those that CreateKey takes, the ones whose mechanisms its token lists; empty until it was opened. */
  keySpecs: KeySpec[];
  /** The vendor profile that is applied to it. */
  profile: string | undefined;
  /** Its highest complete generation of wrapping keys. */
  generation: number | undefined;
  lanes: number;
  busyLanes: number;
  quarantinedLanes: number;
  queuedOperations: number;
  missingMaterials: number;
  unaccountedMaterials: number;
  /** The witness of the catalog on it; undefined if none was written yet. */
  witness: WitnessStatus | undefined;
}

/** A token's description of itself (C_GetTokenInfo, PKCS#11 v2.40 §3.2). */
export interface TokenReport {
  label: string;
  serialNumber: string;
  manufacturer: string;
  model: string;
  firmwareVersion: string;
}

/** A comparison of the keys on the open members with the catalog. */
export interface ReconciliationReport {
  /** Undefined if the service itself began it. */
  startTime: Date | undefined;
  /** Undefined while it is under way. */
  endTime: Date | undefined;
  dryRun: boolean;
  /** Another process was copying: this one only compared. */
  copiedElsewhere: boolean;
  /** Why it ended early. */
  failure: string | undefined;
  members: MemberReconciliationReport[];
}

/** Numbers of key materials on one member. While it is under way, only `missing` and `copied`: how many were tried. */
export interface MemberReconciliationReport {
  name: string;
  present?: number;
  missing: number;
  copied: number;
  failed?: number;
  /** The catalog does not know them. */
  unaccounted?: number;
  /** It has more than one object of each. */
  duplicates?: number;
  /** Their attributes or canaries are not those of the catalog. */
  drifted?: number;
}
