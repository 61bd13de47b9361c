/** The parts that are open before anything serves: files, clock, telemetry. */
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { Clock } from '../clock.js';
import { systemClock } from '../clock-system.js';
import { AuditWatch } from './audit-watch.js';
import { CatalogWatch } from './catalog-watch.js';
import { beginAuditing } from './begin-auditing.js';
import { openConfiguredCatalog } from './configured-catalog.js';
import { Presence } from '../coordination/presence.js';
import type { Configuration } from '../config/configuration.js';
import { PrincipalDirectory } from '../callers/principal-directory.js';
import type { ResolvedSecrets } from '../config/secrets.js';
import type { ClusterOptions } from '../hsm/clusters.js';
import { loadAddon } from '../hsm/native.js';
import { type Identifiers, randomIdentifiers } from '../ids.js';
import { type AuditFile, openAuditFile } from '../storage/audit-file.js';
import { CatalogOpenError } from '../storage/database.js';
import type { SqliteCatalog } from '../storage/sqlite.js';
import { auditEvents, catalogEvents, type AuditLogEvents } from '../telemetry/events.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { version } from '../version.js';

/** What a start is given besides the configuration. The shipped binary sets `acceptsRollback` alone; the rest is for tests. */
export interface CompositionOverrides {
  clock?: Clock;
  identifiers?: Identifiers;
  /** Overrides the configuration of every cluster: members that hold the same keys, short delays. */
  cluster?: Partial<ClusterOptions>;
  /** Go on with a catalog that does not follow the witnesses of its members. Default false. */
  acceptsRollback?: boolean;
}

/** The parts that are open before anything serves, in the order in which they must be closed. */
export interface Foundation {
  configuration: Configuration;
  logger: Logger;
  clock: Clock;
  identifiers: Identifiers;
  /** Shows the other processes on the catalog that this one is alive. */
  presence: Presence;
  principals: PrincipalDirectory;
  catalog: SqliteCatalog;
  /** Path of the catalog, if this start created it. */
  createdCatalog: string | undefined;
  auditFile: AuditFile;
  catalogWatch: CatalogWatch;
  auditWatch: AuditWatch;
  clusterOverrides: Partial<ClusterOptions>;
  /** `serve --accept-rollback`. */
  acceptsRollback: boolean;
  telemetry: Telemetry;
}

/** Opens the catalog, the audit log and telemetry. If one of them fails, closes the others and rejects. */
export async function openFoundation(
  configuration: Configuration,
  secrets: ResolvedSecrets,
  logger: Logger,
  overrides: CompositionOverrides,
): Promise<Foundation> {
  const clock = overrides.clock ?? systemClock;
  const telemetry = await Telemetry.start({
    ...configuration.telemetry,
    logger,
    clock,
    random: Math.random,
    version,
    clusters: configuration.clusters,
    otlpHeaders: secrets.otlpHeaders,
  });
  try {
    return await openFiles(configuration, telemetry, clock, overrides);
  } catch (error) {
    await telemetry.stop();
    throw error;
  }
}

async function openFiles(
  configuration: Configuration,
  telemetry: Telemetry,
  clock: Clock,
  overrides: CompositionOverrides,
): Promise<Foundation> {
  const { sink } = telemetry;
  const { logger } = sink;
  const { catalog, created } = await openConfiguredCatalog(configuration, clock);
  const createdCatalog = created ? configuration.catalog.path : undefined;
  const { cluster: clusterOverrides = {}, acceptsRollback = false } = overrides;
  try {
    await requireNoRollback(catalog, acceptsRollback);
    const { auditFile, auditWatch } = await openAudit(configuration.audit.file, clock, auditEvents(sink));
    const principals = new PrincipalDirectory(configuration);
    const identifiers = overrides.identifiers ?? randomIdentifiers;
    const processName = `${hostname()}/${process.pid}/${identifiers.requestId()}`;
    const presence = new Presence(catalog, processName);
    const catalogWatch = new CatalogWatch(clock, () => presence.beat(), catalogEvents(sink));
    const files = { catalog, createdCatalog, catalogWatch, auditFile, auditWatch };
    return {
      configuration,
      logger,
      clock,
      identifiers,
      presence,
      principals,
      ...files,
      clusterOverrides,
      acceptsRollback,
      telemetry,
    };
  } catch (error) {
    await catalog.close();
    throw error;
  }
}

/** @throws CatalogOpenError if a process found that the catalog was rolled back, and nobody has accepted that. */
async function requireNoRollback(catalog: SqliteCatalog, acceptsRollback: boolean): Promise<void> {
  const found = await catalog.findRollback();
  if (found !== undefined && !acceptsRollback) throw new CatalogOpenError(found.message);
}

async function openAudit(path: string, clock: Clock, events: AuditLogEvents) {
  let onTrouble = (): void => undefined;
  const onLost = (count: number): void => {
    onTrouble();
    events.recordsLost(count);
  };
  const auditFile = await openAuditFile({
    path,
    clock,
    openWriter: (onWritten) => loadAddon().createFileWriter(onWritten),
    onLost,
    onLoss: (condition) => events.fileLost(condition),
  });
  const auditWatch = new AuditWatch(clock, auditFile, events);
  onTrouble = () => auditWatch.lookAtTrouble();
  await beginAuditing(auditFile, clock, onTrouble);
  return { auditFile, auditWatch };
}

/** Time for the last records of the audit log, even if the drain has used up its own. */
export const minAuditCloseMs = 1_000;

/** @returns whether the audit log could be closed within the bound. */
export async function closeFoundation(foundation: Foundation, auditBoundMs: number): Promise<boolean> {
  const { auditFile, auditWatch, catalog, catalogWatch, telemetry } = foundation;
  auditWatch.stop();
  catalogWatch.stop();
  const auditClosed = await auditFile.close(auditBoundMs);
  await catalog.close();
  await telemetry.stop();
  return auditClosed;
}
