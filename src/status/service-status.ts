import type { DeletionHold } from '../keys/time-record.js';
import type { ConnectionState } from '../keystores/store.js';
import type { ConnectionErrorCode } from '../clusters/hsm-cluster.js';
import type { Scope } from '../calls/scope.js';

/**
 * How this process is, at one moment. Metrics, health and GetStatus are all made of these parts, so that they cannot
 * disagree. Nothing in it is secret, and nothing of it asks an HSM.
 */

/**
 * - `SERVING`: takes work.
 * - `SUSPENDED`: its breaker is open; probes find out when it is well again.
 * - `PROBING`: a probe is under way.
 * - `AWAY`: its token or module is lost, or it was never there: it is opened again and again.
 * - `STUCK`: only a new process can open it.
 * - `CLOSED`: its cluster is not connected in this process.
 */
export const memberStates = ['SERVING', 'SUSPENDED', 'PROBING', 'AWAY', 'STUCK', 'CLOSED'] as const;
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
  /** Keys on its token that the catalog does not know, as the last inventory saw. */
  unaccountedMaterials: number;
}

/** One key store with its cluster. */
export interface KeyStoreStatus {
  /** Null: the default key store. */
  customKeyStoreId: string | null;
  /** Null for the default key store, which every account uses. */
  scope: Scope | null;
  /** Null for the default key store. */
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
  /** In the order of the configuration; empty where the configuration does not have the cluster any more. */
  members: MemberStatus[];
}

/** The audit log. */
export interface AuditStatus {
  file: string;
  /** While it is false every request is refused. */
  writable: boolean;
  /** Whether the file at the configured path is the one that is written to. */
  inPlace: boolean;
  /** Since the process started. */
  lostRecords: number;
}

/** A disk that Holdfast writes to. */
export interface DiskStatus {
  /** What is on it. */
  holds: 'audit' | 'catalog';
  path: string;
  /** What the service's user may still write, in bytes. */
  freeBytes: number;
  sizeBytes: number;
}

/** A certificate or revocation list that is loaded. */
export interface CertificateStatus {
  /** The file of the configuration. */
  path: string;
  kind: 'CERTIFICATE' | 'AUTHORITY' | 'REVOCATION_LIST';
  /** Of a revocation list its issuer. */
  subject: string;
  notBefore: Date;
  notAfter: Date;
}

/** The process itself. */
export interface ProcessStatus {
  version: string;
  nodeVersion: string;
  startTime: Date;
  /** Whether an HSM is stuck in the process, and what comes of that (`hsm/process-replacement.ts`). */
  replacement: 'none' | 'put-off' | 'due' | 'asked';
  openFileDescriptors: number;
  maximumFileDescriptors: number;
}

/** All of it. */
export interface ServiceStatus {
  /** Whether it could be read just now. While it is false every request is refused, and custom key stores are not known. */
  catalogReadable: boolean;
  /** Whether it took a change some seconds ago. While it is false nothing can be made or changed. */
  catalogWritable: boolean;
  /** Why nothing is destroyed until an operator confirms; null: nothing is held. */
  deletionHold: Pick<DeletionHold, 'reason' | 'since'> | null;
  /** Of the key materials that this process encrypts with: the largest share of its encryptions that is used, 0 to 1. */
  encryptionBudgetUsed: number;
  /** The default one first, then by id. */
  keyStores: KeyStoreStatus[];
  audit: AuditStatus;
  disks: DiskStatus[];
  certificates: CertificateStatus[];
  /** Why the files of the last reload are not in use; null: they are. */
  certificateTrouble: string | null;
  process: ProcessStatus;
}

/** What GetStatus asks. Implemented by `composition/service-status.ts`. */
export interface StatusSource {
  /** Of now. Takes a second at most, whatever disk or HSM hangs; leaves out disks that do not answer. Never rejects. */
  status(): Promise<ServiceStatus>;
}
