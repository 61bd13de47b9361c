import { eitherCluster } from '../../backup/either-cluster.js';
import type { ManifestCluster } from '../../backup/manifest.js';
import type { HsmCluster } from '../../clusters/hsm-cluster.js';
import { OperatorClusters, type OperatorClustersTools } from '../../composition/operator-clusters.js';
import type { ClusterConfiguration } from '../../config/configuration.js';
import { CliError, exitCodes } from '../exit-codes.js';
import { type CredentialSources, memberCredentials, recoveryCredential } from './restore-pins.js';

/** The clusters of an archive, open. */
export class OpenedArchiveClusters {
  readonly processName: string;
  readonly #clusters: OperatorClusters;
  readonly #members = new Map<string, HsmCluster>();
  readonly #recovery = new Map<string, HsmCluster>();

  private constructor(clusters: OperatorClusters) {
    this.#clusters = clusters;
    this.processName = clusters.processName;
  }

  /**
   * Opens the members of each of these clusters, and the recovery members that the operator named. One of which the archive
   * has no keys may be gone, unless it is the only one that could prove the archive.
   * @throws CliError if no member of a cluster opens
   */
  static async open(
    tools: OperatorClustersTools,
    sources: CredentialSources,
    wanted: readonly ManifestCluster[],
  ): Promise<OpenedArchiveClusters> {
    const opened = new OpenedArchiveClusters(new OperatorClusters(tools));
    const absent: unknown[] = [];
    try {
      for (const { cluster_id: clusterId, materials } of wanted) {
        const cluster = tools.configuration.clusters.find(({ id }) => id === clusterId);
        const failure = cluster === undefined ? undefined : await opened.#open(sources, cluster);
        if (failure !== undefined && materials > 0) throw failure;
        if (failure !== undefined) absent.push(failure);
      }
      if (absent.length > 0 && opened.#members.size + opened.#recovery.size === 0) throw absent[0];
      for (const failure of absent) tools.onBackgroundError(failure, 'opening a cluster without keys in the archive');
      return opened;
    } catch (error) {
      await opened.close();
      throw error;
    }
  }

  /** Opens those that can be. What keeps the others away is said when they are needed. */
  static async openSome(
    tools: OperatorClustersTools,
    sources: CredentialSources,
    wanted: readonly ManifestCluster[],
  ): Promise<OpenedArchiveClusters> {
    const opened = new OpenedArchiveClusters(new OperatorClusters(tools));
    try {
      for (const { cluster_id: clusterId } of wanted) {
        const cluster = tools.configuration.clusters.find(({ id }) => id === clusterId);
        if (cluster !== undefined) await opened.#open(sources, cluster);
      }
      return opened;
    } catch (error) {
      await opened.close();
      throw error;
    }
  }

  /** The members that serve; undefined if none opened. */
  members(clusterId: string): HsmCluster | undefined {
    return this.#members.get(clusterId);
  }

  /** Whatever is open of a cluster, to authenticate and to prove. */
  either(clusterId: string): HsmCluster | undefined {
    return eitherCluster(this.#members.get(clusterId), this.#recovery.get(clusterId));
  }

  close(): Promise<void> {
    return this.#clusters.close();
  }

  /** @returns why it is not open enough; undefined if it is */
  async #open(sources: CredentialSources, cluster: ClusterConfiguration): Promise<CliError | undefined> {
    const failures: unknown[] = [];
    const own = await memberCredentials(sources, cluster);
    if (own !== undefined) {
      const outcome = await this.#clusters.connect(cluster, own.credential, own.presentCredential);
      if (outcome.connected) this.#members.set(cluster.id, outcome.cluster);
      else failures.push(outcome.cause);
    }
    const recovery = await recoveryCredential(sources, cluster);
    if (recovery !== undefined) {
      const alone = { ...cluster, members: [recovery.member], minimumMembers: 1 };
      const outcome = await this.#clusters.connect(alone, recovery.credential);
      if (outcome.connected) this.#recovery.set(cluster.id, outcome.cluster);
      else failures.push(outcome.cause);
    }
    // A recovery member that was named must open: its PIN was meant for it.
    const isEnough = recovery === undefined ? this.#members.has(cluster.id) : this.#recovery.has(cluster.id);
    return isEnough ? undefined : notOpen(cluster, failures);
  }
}

function notOpen({ name }: ClusterConfiguration, failures: readonly unknown[]): CliError {
  const details = failures.map((failure) => (failure instanceof Error ? failure.message : String(failure)));
  const message = `no member of cluster ${name} could be opened`;
  return new CliError(exitCodes.checkFailed, 'CLUSTER', message, {
    details,
    hint: `--pin-file CLUSTER=FILE gives another PIN; --recovery-member MEMBER=FILE opens a recovery member; if it is lost for now, --without-cluster ${name} restores the others`,
    cause: failures[0],
  });
}
