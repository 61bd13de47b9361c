import { existsSync } from 'node:fs';
import type { ActAudit } from '../../audit/act-audit.js';
import type { ManifestCluster } from '../../backup/manifest.js';
import { authenticateAny, readClaimedMacs } from '../../backup/authenticate-archive.js';
import { type RestoredMember, restoreKeys } from '../../jobs/restore-keys.js';
import { type VerifiedArchive, verifyArchive } from '../../backup/verify-archive.js';
import type { Clock } from '../../clock.js';
import type { HsmCluster } from '../../clusters/hsm-cluster.js';
import type { Witness } from '../../clusters/witness.js';
import { systemClock } from '../../clock-system.js';
import type { OperatorClustersTools } from '../../composition/operator-clusters.js';
import { catalogOwner, configuredCatalogProblem } from '../../composition/configured-catalog.js';
import type { Configuration } from '../../config/configuration.js';
import { ConfigurationError } from '../../config/problem.js';
import { destroySecrets, type ResolvedSecrets, resolveSecrets } from '../../config/secrets.js';
import { RollbackGuard } from '../../jobs/rollback-guard.js';
import type { PasswordSealer } from '../../keystores/catalog.js';
import { requireNone } from '../../storage/catalog-problem.js';
import { createPasswordSealer } from '../../storage/password-sealer.js';
import { mergeTombstones } from '../../storage/merge-tombstones.js';
import type { RestoredCatalog } from '../../storage/restore-catalog.js';
import { openSqliteCatalog, type SqliteCatalog } from '../../storage/sqlite.js';
import { StagedCatalog } from '../../storage/staged-catalog.js';
import { CliError, exitCodes, usageError } from '../exit-codes.js';
import { configurationError, loadForCommand, orCatalogError, withOpenCatalog } from '../local-configuration.js';
import { asOperator } from '../operator-audit.js';
import type { Terminal } from '../terminal.js';
import { ArchiveFile, orRefused } from './archive-file.js';
import { type ChosenClusters, chooseClusters, requireConfigured } from './chosen-clusters.js';
import { countUnknownKeys } from './known-keys.js';
import { pinGroups, underAllNames } from './pin-names.js';
import { OpenedArchiveClusters } from './opened-archive-clusters.js';
import { type CredentialSources, requireNames, type RestorePinOptions, withoutPriorLogins } from './restore-pins.js';
import { settleRotations } from './settle-rotations.js';
import { RestoreSteps } from './restore-steps.js';

/** The options of `backup restore`. */
export interface RestoreOptions extends RestorePinOptions {
  config: string;
  output: 'table' | 'json';
  dryRun?: true;
  /** The catalog that was moved away: what was deleted in it stays deleted. */
  tombstonesOf?: string;
  /** Accepts an archive that nothing authenticates. */
  unauthenticated?: true;
  /** Clusters that are not opened: nothing of theirs is proved, and no key of theirs is restored. */
  withoutCluster?: readonly string[];
}

/** Called with what was restored, while it is open. */
export type AfterRestore = (restored: {
  catalog: SqliteCatalog;
  audit: ActAudit;
  members: readonly RestoredMember[];
  connectedCluster: (clusterId: string) => HsmCluster | undefined;
}) => Promise<void>;

/** What a restore did. */
export interface RestoreResult {
  archiveId: string;
  createdDate: string;
  /** What came back with the catalog; undefined if there was one already. */
  catalog: RestoredCatalog | undefined;
  proved: number;
  unproved: VerifiedArchive['unproved'];
  /** Clusters of which the archive has the catalog's records alone. */
  catalogOnly: readonly string[];
  /** Clusters that the operator left out. */
  leftOut: readonly ManifestCluster[];
  members: readonly RestoredMember[];
  /** Keys of the archive that the catalog which was there has never had: they were not restored. */
  unknownKeys: number;
}

/** Whether the catalog was there before, or came from the archive: then no service uses it. */
type CatalogKind = 'in-use' | 'restored';

const callTimeoutMs = 30_000;
/** After a kill, the next run waits for so long; no copy may take longer. */
const leaseTtlMs = 10_000;
/** As in the service: another process may still be making a key that is younger. */
const settlingMs = 60_000;

/**
 * Restores an archive: the catalog if there is none, and every key that a member lacks. Nothing is written before all of the
 * archive has proved itself.
 * @throws CliError
 */
export async function restoreBackup(
  terminal: Terminal,
  file: string,
  options: RestoreOptions,
  afterwards: AfterRestore = () => Promise.resolve(),
): Promise<RestoreResult> {
  const configuration = await loadForCommand(options.config);
  requireNames(configuration, options);
  const archive = await ArchiveFile.open(file);
  const chosen = chooseClusters(archive.manifest, configuration, options.withoutCluster ?? []);
  const { path } = configuration.catalog;
  const parameters = {
    ...{ file, path, archive_id: archive.manifest.archive_id, dry_run: options.dryRun === true },
    without_clusters: chosen.leftOut.map(({ cluster_id }) => cluster_id),
  };
  const act = { operation: 'RestoreBackup', resources: [], parameters } as const;
  const secrets = await readable(configuration, terminal);
  try {
    return await asOperator(configuration, terminal, act, (audit) =>
      orRefused(file, () =>
        orCatalogError(() =>
          new Restore({ terminal, configuration, archive, chosen, options, secrets, audit, afterwards }).run(),
        ),
      ),
    );
  } finally {
    destroySecrets(secrets);
  }
}

async function readable(configuration: Configuration, { environment }: Terminal): Promise<ResolvedSecrets> {
  try {
    return await resolveSecrets(configuration, { ...environment });
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw configurationError(error, 'CONFIGURATION');
  }
}

interface RestoreParts {
  terminal: Terminal;
  configuration: Configuration;
  archive: ArchiveFile;
  chosen: ChosenClusters;
  options: RestoreOptions;
  secrets: ResolvedSecrets;
  audit: ActAudit;
  afterwards: AfterRestore;
}

class Restore {
  readonly #parts: RestoreParts;
  readonly #clock: Clock = systemClock;
  readonly #sealer: PasswordSealer;
  readonly #steps: RestoreSteps;

  constructor(parts: RestoreParts) {
    this.#parts = parts;
    this.#sealer = createPasswordSealer(parts.secrets.sealingKeys);
    this.#steps = new RestoreSteps(parts.terminal, parts.options.output);
  }

  async run(): Promise<RestoreResult> {
    const { configuration, chosen } = this.#parts;
    requireConfigured(chosen, configuration);
    if (!existsSync(configuration.catalog.path)) return this.#withoutCatalog();
    if (this.#parts.options.tombstonesOf !== undefined) throw tombstonesUnused(configuration.catalog.path);
    requireNone(await configuredCatalogProblem(configuration));
    return this.#onCatalog(configuration.catalog.path, (catalog) => this.#besideCatalog(catalog));
  }

  async #besideCatalog(catalog: SqliteCatalog): Promise<RestoreResult> {
    const { archive, chosen } = this.#parts;
    const clusterIds = chosen.wanted.map(({ cluster_id }) => cluster_id);
    const unknownKeys = await countUnknownKeys(archive, clusterIds, catalog);
    const rollback = await catalog.findRollback();
    if (rollback !== undefined) throw new CliError(exitCodes.checkFailed, 'CATALOG_ROLLED_BACK', rollback.message);
    const verified = await this.#verify(catalog, 'in-use');
    return { ...this.#result(undefined, verified, await this.#restoreKeys(catalog, 'in-use')), unknownKeys };
  }

  /** The catalog takes its place between the proof and the keys: whatever ends the command then, the next run goes on. */
  async #withoutCatalog(): Promise<RestoreResult> {
    const { configuration, archive, options } = this.#parts;
    const { path } = configuration.catalog;
    await this.#steps.say('catalog', `reading the catalog of ${archive.manifest.created_date}`);
    const place = { owner: catalogOwner(configuration), clock: this.#clock };
    const staged = StagedCatalog.claim(path);
    try {
      await this.#proveBeforehand(staged);
      const restored = await staged.fill(archive.catalog(), place);
      if (options.tombstonesOf !== undefined) await mergeTombstones(staged.path, options.tombstonesOf, place);
      const verified = await this.#onCatalog(staged.path, async (catalog) => {
        await this.#settleRotations(catalog);
        return this.#verify(catalog, 'restored');
      });
      if (options.dryRun === true) {
        const members = await this.#onCatalog(staged.path, (catalog) => this.#restoreKeys(catalog, 'restored'));
        staged.remove();
        return this.#result(restored, verified, members);
      }
      staged.publish();
      await this.#steps.say('published', `the catalog is at ${path}: ${restored.keys} keys`, { path });
      staged.close();
      return this.#result(
        restored,
        verified,
        await this.#onCatalog(path, (catalog) => this.#restoreKeys(catalog, 'restored')),
      );
    } finally {
      staged.close();
    }
  }

  /**
   * Has the MAC checked before SQLite reads the archive's catalog, by clusters whose PIN is not in that catalog. A forgery is refused
   * here; a damaged archive before any PIN is tried. If none of them can be asked, the catalog is read with care, and proved afterwards.
   */
  async #proveBeforehand(staged: StagedCatalog): Promise<void> {
    const { archive, chosen } = this.#parts;
    const claimed = await readClaimedMacs(archive.bytes());
    await staged.makeEmpty(this.#clock);
    await this.#onCatalog(staged.path, async (empty) => {
      const catalog = withoutPriorLogins(empty);
      // It follows no witness, and makes MACs alone.
      const clusters = await OpenedArchiveClusters.openSome(...(await this.#opening(catalog, trusting)), chosen.wanted);
      try {
        const call = () => ({ deadlineMs: this.#clock.monotonicMs() + callTimeoutMs });
        await authenticateAny(claimed, (clusterId) => clusters.either(clusterId), call);
      } finally {
        await clusters.close();
      }
    });
  }

  async #verify(catalog: SqliteCatalog, kind: CatalogKind): Promise<VerifiedArchive> {
    const { configuration, archive, chosen } = this.#parts;
    const onProgress = await this.#steps.progress('verified', 'of the keys have proved themselves');
    const verified = await this.#onClusters(catalog, kind, (clusters) =>
      verifyArchive(
        {
          clock: this.#clock,
          isConfigured: (clusterId) => configuration.clusters.some(({ id }) => id === clusterId),
          isLeftOut: (clusterId) => chosen.leftOut.some((cluster) => cluster.cluster_id === clusterId),
          connectedCluster: (clusterId) => clusters.either(clusterId),
          turn: () => Promise.resolve(),
          callTimeoutMs,
        },
        { chunks: archive.bytes(), onProgress, signal: never },
      ),
    );
    if (!verified.isAuthenticated && this.#parts.options.unauthenticated !== true) throw unauthenticated();
    return verified;
  }

  /** The configured members that should have keys of the archive and could not be opened. */
  #notOpen(members: readonly RestoredMember[]): RestoredMember[] {
    const { configuration, chosen } = this.#parts;
    const counts = { expected: 0, lacking: 0, restored: 0, failed: 0, missing: 0, missingIds: [] };
    const none = { isOpen: false, isCurrent: false, ...counts };
    const withKeys = chosen.wanted.filter(({ materials }) => materials > 0);
    return withKeys.flatMap(({ cluster_id: clusterId }) => {
      const names = configuration.clusters.find(({ id }) => id === clusterId)?.members.map(({ name }) => name) ?? [];
      const seen = members.filter((member) => member.clusterId === clusterId).map(({ memberName }) => memberName);
      return names.filter((name) => !seen.includes(name)).map((memberName) => ({ clusterId, memberName, ...none }));
    });
  }

  async #restoreKeys(catalog: SqliteCatalog, kind: CatalogKind): Promise<RestoredMember[]> {
    const { archive, options, audit, afterwards } = this.#parts;
    const onProgress = await this.#steps.progress('restored', 'of the missing keys are restored');
    const settledAfterMs = kind === 'restored' ? 0 : settlingMs;
    const core = { catalog, clock: this.#clock, onBackgroundError: this.#steps.failed };
    const { manifest } = archive;
    const request = {
      manifest,
      open: () => archive.bytes(),
      dryRun: options.dryRun === true,
      onProgress,
      signal: never,
    };
    return this.#onClusters(catalog, kind, async (clusters) => {
      const connectedCluster = (clusterId: string): HsmCluster | undefined => clusters.members(clusterId);
      const tools = {
        ...{ core, audit, callTimeoutMs: leaseTtlMs, settledAfterMs, connectedCluster },
        leases: { leases: catalog, clock: this.#clock, holder: clusters.processName, ttlMs: leaseTtlMs },
        rewrappingCluster: (clusterId: string) => clusters.either(clusterId),
      };
      const members = await restoreKeys(tools, request);
      if (!request.dryRun) await afterwards({ catalog, audit, members, connectedCluster });
      return members;
    });
  }

  async #onCatalog<T>(path: string, work: (catalog: SqliteCatalog) => Promise<T>): Promise<T> {
    return withOpenCatalog(path, await openSqliteCatalog({ path, clock: this.#clock, checked: true }), work);
  }

  async #onClusters<T>(
    catalog: SqliteCatalog,
    kind: CatalogKind,
    work: (clusters: OpenedArchiveClusters) => Promise<T>,
  ): Promise<T> {
    const { chosen } = this.#parts;
    const guard = await this.#guard(catalog, kind);
    const clusters = await OpenedArchiveClusters.open(...(await this.#opening(catalog, guard)), chosen.wanted);
    try {
      return await work(clusters);
    } finally {
      await clusters.close();
    }
  }

  /** To restore a catalog is to accept that it is older than what the members saw last. A member may have been away then. */
  async #guard(catalog: SqliteCatalog, kind: CatalogKind): Promise<OperatorClustersTools['guard']> {
    const { audit, options } = this.#parts;
    const restoredDate = kind === 'in-use' ? await unusedSinceRestore(catalog) : undefined;
    // A dry run of what would take over writes nothing into a catalog that is there.
    if (restoredDate !== undefined && options.dryRun === true) return trusting;
    const { failed: onBackgroundError } = this.#steps;
    const isUntil =
      restoredDate === undefined
        ? undefined
        : ({ epochDate }: Witness): boolean => epochDate.getTime() <= restoredDate.getTime();
    const takesOver = kind === 'restored' ? () => true : isUntil;
    const judging = { catalog, audit, clock: this.#clock, onBackgroundError, ...(takesOver && { takesOver }) };
    return new RollbackGuard({ ...judging, acceptsRollback: false, onUnwitnessed: () => undefined });
  }

  async #opening(
    catalog: SqliteCatalog,
    guard: OperatorClustersTools['guard'],
  ): Promise<[tools: OperatorClustersTools, sources: CredentialSources]> {
    const { configuration, secrets, options, terminal } = this.#parts;
    const { failed: onBackgroundError } = this.#steps;
    const sources = { configuration, catalog, secrets, sealer: this.#sealer, options };
    const named = underAllNames(catalog, await pinGroups(sources, configuration.clusters));
    const tools = { configuration, catalog: named, clock: this.#clock, guard, onBackgroundError };
    return [{ ...tools, log: terminal.stderr }, sources];
  }

  /** A rotation that was open when the archive was made may have gone on since. */
  async #settleRotations(catalog: SqliteCatalog): Promise<void> {
    const clusterIds = this.#parts.chosen.wanted.map(({ cluster_id }) => cluster_id);
    const opening = await this.#opening(catalog, await this.#guard(catalog, 'restored'));
    await settleRotations(...opening, clusterIds);
  }

  #result(
    catalog: RestoredCatalog | undefined,
    { manifest, proved, unproved }: VerifiedArchive,
    members: readonly RestoredMember[],
  ): RestoreResult {
    const { archive_id: archiveId, created_date: createdDate } = manifest;
    const all = [...members, ...this.#notOpen(members)];
    const catalogOnly = manifest.clusters.filter(({ content }) => content === 'catalog-only').map(({ name }) => name);
    const { leftOut } = this.#parts.chosen;
    return { archiveId, createdDate, catalog, proved, unproved, catalogOnly, leftOut, members: all, unknownKeys: 0 };
  }
}

const never = new AbortController().signal;

/** Judges nothing. */
const trusting: OperatorClustersTools['guard'] = { judge: () => Promise.resolve(undefined) };

/**
 * When the catalog was restored, if no service has written a witness of it yet; undefined if one has, or it is of no restore. That
 * may be a copy of a restored catalog from before it was used: a witness of another catalog from after that date is newer.
 */
async function unusedSinceRestore(catalog: SqliteCatalog): Promise<Date | undefined> {
  const { predecessorIds, epoch } = await catalog.readEpoch();
  const isUnused = predecessorIds.length > 0 && (await catalog.listMemberWitnesses()).length === 0;
  return isUnused ? catalog.findEpochDate(epoch) : undefined;
}

function tombstonesUnused(path: string): CliError {
  return usageError(
    `--tombstones-of is for a restore without a catalog, and there is one at ${path}. To restore the archive's catalog, stop the service and move this one away with its -wal and -shm`,
  );
}

function unauthenticated(): CliError {
  const message = 'nothing authenticates this archive: no cluster that is asked has a MAC over it';
  return new CliError(exitCodes.checkFailed, 'UNAUTHENTICATED', message, {
    hint: 'anyone could have made it; --unauthenticated takes its catalog if you know where it comes from',
  });
}
