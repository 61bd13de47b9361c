import { hostname } from 'node:os';
import type { Clock } from '../clock.js';
import type { ConnectOutcome, EncryptionSpending } from '../clusters/hsm-cluster.js';
import type { ClusterConfiguration, Configuration } from '../config/configuration.js';
import { Presence } from '../coordination/presence.js';
import type { Witness } from '../clusters/witness.js';
import { ConfiguredHsmClusters } from '../hsm/clusters.js';
import type { MemberPlace } from '../hsm/events.js';
import { loadAddon } from '../hsm/native.js';
import type { PresentCredentials } from '../hsm/present-credential.js';
import { randomIdentifiers } from '../ids.js';
import { expectedMaterials } from '../keys/cluster-materials.js';
import type { RollbackGuard } from '../jobs/rollback-guard.js';
import type { BackgroundErrorListener } from '../keys/core.js';
import type { Credential } from '../keystores/connection.js';
import type { SqliteCatalog } from '../storage/sqlite.js';
import { hsmEvents } from '../telemetry/events.js';
import { createLogger } from '../telemetry/logger.js';
import { clusterOptions } from './cluster-options.js';

/** The dependencies of an operator's command that opens HSMs. */
export interface OperatorClustersTools {
  configuration: Configuration;
  /** It has the record of refused PINs, and the materials that members should have. */
  catalog: SqliteCatalog;
  clock: Clock;
  onBackgroundError: BackgroundErrorListener;
  /** Judges the witnesses of each member that logs in: a catalog that was rolled back must not be acted on. */
  guard: Pick<RollbackGuard, 'judge'>;
  /** Gets a line of the log for what goes wrong with a member. */
  log: NodeJS.WritableStream;
}

/** A restore encrypts nothing under the keys of callers, so it has no budget for it. */
const noEncryptions: EncryptionSpending = {
  trySpend: () => false,
  spend: () => Promise.reject(new Error('This command encrypts nothing.')),
};

/** Clusters that an operator's command opens in its own process, each with a credential that it has. */
export class OperatorClusters {
  /** The name of this process in the catalog. */
  readonly processName: string;
  readonly #tools: OperatorClustersTools;
  readonly #presence: Presence;
  readonly #opened: { clusters: ConfiguredHsmClusters; clusterId: string }[] = [];

  constructor(tools: OperatorClustersTools) {
    this.#tools = tools;
    this.processName = `${hostname()}/${process.pid}/${randomIdentifiers.requestId()}`;
    this.#presence = new Presence(tools.catalog, this.processName);
  }

  /**
   * Opens the cluster's members; at least one must open. The credential's PIN is destroyed.
   * @param presentCredential as `PresentCredentials`
   */
  async connect(
    cluster: ClusterConfiguration,
    { pin, credentialVersion }: Credential,
    presentCredential?: PresentCredentials['presentCredential'],
  ): Promise<ConnectOutcome> {
    const { clock, configuration } = this.#tools;
    try {
      await this.#presence.beat();
      const clusters = await this.#clusters(cluster, presentCredential);
      const deadlineMs = clock.monotonicMs() + configuration.limits.connectTimeoutMs;
      const outcome = await clusters.connect(cluster.id, pin, credentialVersion, deadlineMs);
      if (outcome.connected) this.#opened.push({ clusters, clusterId: cluster.id });
      return outcome;
    } finally {
      pin.destroy();
    }
  }

  /** Closes all of them. */
  async close(): Promise<void> {
    const { clock, configuration } = this.#tools;
    const deadlineMs = clock.monotonicMs() + configuration.limits.drainTimeoutMs;
    await Promise.all(this.#opened.map(({ clusters, clusterId }) => clusters.disconnect(clusterId, deadlineMs)));
  }

  async #clusters(
    cluster: ClusterConfiguration,
    presentCredential: PresentCredentials['presentCredential'],
  ): Promise<ConfiguredHsmClusters> {
    const { configuration, catalog, clock, log, guard, onBackgroundError } = this.#tools;
    const logger = createLogger('error', log);
    const tools = {
      ...{
        addon: loadAddon(),
        loginAttempts: catalog,
        presence: this.#presence,
        encryptionBudget: noEncryptions,
        clock,
      },
      events: hsmEvents({ logger, metrics: undefined }, clock),
      lockDirectory: configuration.lockDirectory,
      maintenance: catalog,
      presentCredential,
      judgeWitnesses: (place: MemberPlace, witnesses: readonly Witness[]) => guard.judge(place, witnesses),
      expectedMaterials: expectedMaterials(catalog, onBackgroundError),
    };
    return new ConfiguredHsmClusters(tools, [await clusterOptions(cluster, configuration)]);
  }
}
