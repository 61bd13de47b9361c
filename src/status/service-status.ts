import type { PinAgeStatus } from '../keystores/pin-age.js';
import type { BackupSummary } from '../backup/summary.js';
import type { DeletionHold } from '../keys/time-record.js';
import type { ConnectionState } from '../keystores/store.js';
import type { ConnectionErrorCode } from '../clusters/hsm-cluster.js';
import type { Scope } from '../calls/scope.js';

/**
 * The state of this process, at one moment. Metrics, health and GetStatus are all made from these parts, so they cannot
 * disagree. Nothing in it is secret, and nothing asks an HSM.
 */

/**
 * - `SERVING`: takes work.
 * - `SUSPENDED`: its breaker is open; probes detect when it is well again.
 * - `PROBING`: a probe is under way.
 * - `AWAY`: its token or module is lost, or was never there: opening it is retried.
 * - `STUCK`: only a new process can open it.
 * - `CLOSED`: its cluster is not connected in this process.
 * - `DRAINED`: an operator has taken it out of service.
 */
export const memberStates = ['SERVING', 'SUSPENDED', 'PROBING', 'AWAY', 'STUCK', 'CLOSED', 'DRAINED'] as const;
/** One of `memberStates`. */
export type MemberState = (typeof memberStates)[number];

/** One member of a cluster. All counts are 0 while it is not open. */
export interface MemberStatus {
  name: string;
  state: MemberState;
  lanes: number;
  busyLanes: number;
  /** Lanes whose call hangs inside the token. */
  quarantinedLanes: number;
  queuedOperations: number;
  /** Keys on its token that the catalog does not know, by the last inventory. */
  unaccountedMaterials: number;
  /** Keys of the catalog that it is known to lack. */
  missingMaterials: number;
  /** Its highest complete generation of wrapping keys; null: it has none, or is not open. */
  generation: number | null;
  /** The witness of the catalog on it; null if none was written yet. */
  witness: WitnessStatus | null;
}

/** The witness of the catalog on a member, as far as the catalog and this process know. */
export interface WitnessStatus {
  epoch: number;
  /** Null if it was never written. */
  writtenDate: Date | null;
  /** Whether this process tried to write it last and could not. */
  failing: boolean;
}

/** One key store with its cluster. */
export interface KeyStoreStatus {
  /** Its id; null for the default key store. */
  customKeyStoreId: string | null;
  /** Its owner; null for the default key store, which every account uses. */
  scope: Scope | null;
  /** Its name; null for the default key store. */
  name: string | null;
  clusterId: string;
  clusterName: string;
  connectionState: ConnectionState;
  /** Why it is FAILED; while it is CONNECTING, why the last attempt failed. */
  connectionErrorCode: ConnectionErrorCode | null;
  /** Whether this process can use it: it is open here, and at least one member takes work. */
  serving: boolean;
  /** Serial numbers of the tokens that refused its present PIN, which is not tried on them again. */
  refusedTokens: string[];
  /** How old its PIN is; undefined before the first look. */
  pinAge?: PinAgeStatus | undefined;
  /** How many members must hold a new key; 0 if the configuration no longer has the cluster. */
  minimumMembers: number;
  /** Busy lane time ÷ lane time in the last minute in this process, 0 to 1; null: it was never connected here. */
  utilisation: number | null;
  /** When its cluster reaches its measured ceiling, at today's growth; null: unknown, or not within ten years. */
  limitDate: Date | null;
  /** Whether every member of its cluster enforces trust; undefined unless it is wrapped. */
  trust?: 'enforced' | 'unenforced' | undefined;
  /** Its members, in the order of the configuration; empty if the configuration no longer has the cluster. */
  members: MemberStatus[];
}

/** The audit log. */
export interface AuditStatus {
  file: string;
  /** While it is false every request is refused. */
  writable: boolean;
  /** Whether the file at the configured path is the one that is written to. */
  inPlace: boolean;
  /** How many were lost since the process started. */
  lostRecords: number;
}

/** A disk that Holdfast writes to. */
export interface DiskStatus {
  /** The file on it. */
  holds: 'audit' | 'catalog';
  path: string;
  /** The bytes that the service's user may still write. */
  freeBytes: number;
  sizeBytes: number;
}

/** A certificate or revocation list that is loaded. */
export interface CertificateStatus {
  /** The file of the configuration. */
  path: string;
  kind: 'CERTIFICATE' | 'AUTHORITY' | 'REVOCATION_LIST';
  /** Its subject; for a revocation list, its issuer. */
  subject: string;
  notBefore: Date;
  notAfter: Date;
}

/** The process itself. */
export interface ProcessStatus {
  version: string;
  nodeVersion: string;
  startTime: Date;
  /** Whether an HSM is stuck in the process, and the consequence (`hsm/process-replacement.ts`). */
  replacement: 'none' | 'put-off' | 'due' | 'asked';
  openFileDescriptors: number;
  maximumFileDescriptors: number;
}

/** All parts together. */
export interface ServiceStatus {
  /**
   * Whether it could be read at the last check. While it is false every request is refused, and custom key stores are
   * not known.
   */
  catalogReadable: boolean;
  /**
   * Whether it accepted a change at the last check, some seconds ago. While it is false nothing can be made or changed.
   */
  catalogWritable: boolean;
  /** Why deletions are held until an operator confirms; null: they are not. */
  deletionHold: Pick<DeletionHold, 'reason' | 'since'> | null;
  /** The maximum share of its encryptions that any key material of this process has used, 0 to 1. */
  encryptionBudgetUsed: number;
  /** The default key store first, then the custom ones by id. */
  keyStores: KeyStoreStatus[];
  audit: AuditStatus;
  /** As of the last minute; null without a folder of backups, and before the first look. */
  backups: BackupSummary | null;
  disks: DiskStatus[];
  certificates: CertificateStatus[];
  /** Why the files of the last reload are not in use; null: they are. */
  certificateTrouble: string | null;
  /** Why the configuration file is not, or not wholly, in use since the last reload; null: it is. */
  configurationTrouble: string | null;
  process: ProcessStatus;
}

/** The source of GetStatus. Implemented by `composition/service-status.ts`. */
export interface StatusSource {
  /**
   * The present status. Takes a second at most, whatever disk or HSM hangs; leaves out disks that do not answer. Never
   * rejects.
   */
  status(): Promise<ServiceStatus>;
}
