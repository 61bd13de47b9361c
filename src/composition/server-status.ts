import type { BackupSummary } from '../backup/summary.js';
import type { Clock } from '../clock.js';
import type { Configuration } from '../config/configuration.js';
import type { ConfiguredHsmClusters } from '../hsm/clusters.js';
import type { ReplacementState } from '../hsm/process-replacement.js';
import type { PinSchedule } from '../jobs/pin-schedule.js';
import type { LoadWatch } from '../jobs/load-watch.js';
import type { EncryptionBudget } from '../keys/encryption-budget.js';
import type { KeyStoreRegistry } from '../keystores/registry.js';
import type { StoreConnection } from '../keystores/store-connection.js';
import type { CertificateStatus } from '../status/service-status.js';
import type { AuditFile } from '../storage/audit-file.js';
import type { SqliteCatalog } from '../storage/sqlite.js';
import { version } from '../version.js';
import type { AuditWatch } from './audit-watch.js';
import type { CatalogWatch } from './catalog-watch.js';
import { Disks } from './disks.js';
import type { MemberKnowledge } from './member-status.js';
import { ServerStatus } from './service-status.js';

/** The sources of a server's status. */
export interface StatusSources {
  configuration: Configuration;
  clock: Clock;
  catalog: SqliteCatalog;
  catalogWatch: CatalogWatch;
  auditFile: AuditFile;
  auditWatch: AuditWatch;
  registry: KeyStoreRegistry;
  configuredClusters: ConfiguredHsmClusters;
  encryptionBudget: EncryptionBudget;
  loads: Pick<LoadWatch, 'capacityOf'>;
  members: MemberKnowledge;
  pinSchedule: Pick<PinSchedule, 'statusOf'>;
  backups: { readonly summary: BackupSummary | undefined };
}

/** The parts that are made after the status that shows them. */
export interface LateParts {
  replacement(): ReplacementState;
  certificates(): CertificateStatus[];
  certificateTrouble(): string | null;
  configurationTrouble(): string | null;
}

/** The status of a server that has just started. */
export function serverStatus(sources: StatusSources, late: LateParts): ServerStatus {
  const { configuration, clock, catalog, catalogWatch, auditFile, auditWatch, encryptionBudget } = sources;
  const disks = new Disks(clock, [
    { holds: 'audit', path: configuration.audit.file },
    { holds: 'catalog', path: configuration.catalog.path },
  ]);
  const startTime = clock.now();
  const parts = {
    connections: sources.registry,
    loginAttempts: catalog,
    clusters: () => sources.configuredClusters.status(),
    capacityOf: (clusterId: string) => sources.loads.capacityOf(clusterId),
    catalog: { findTimeRecord: () => catalog.findTimeRecord(), isWritable: () => catalogWatch.writable },
    members: sources.members,
    pinAgeOf: (connection: StoreConnection) => sources.pinSchedule.statusOf(connection),
    encryptionBudgetUsed: () => shareOf(encryptionBudget.mostUsed),
    audit: () => ({
      file: configuration.audit.file,
      writable: auditFile.healthy(),
      inPlace: auditWatch.inPlace,
      lostRecords: auditFile.lostRecords,
    }),
    backups: () => sources.backups.summary,
    disks: () => disks.status(),
    certificates: () => late.certificates(),
    certificateTrouble: () => late.certificateTrouble(),
    configurationTrouble: () => late.configurationTrouble(),
    process: () => ({ version, startTime, replacement: late.replacement() }),
  };
  return new ServerStatus(parts, configuration.clusters);
}

function shareOf(mostUsed: EncryptionBudget['mostUsed']): number {
  return mostUsed === undefined ? 0 : mostUsed.used / mostUsed.limit;
}
