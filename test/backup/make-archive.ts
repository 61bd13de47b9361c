/** An archive of a deployment on disk, made by this process while no server runs. */
import { join } from 'node:path';
import { createArchive } from '../../src/backup/create-archive.js';
import { systemClock } from '../../src/clock-system.js';
import { OperatorClusters } from '../../src/composition/operator-clusters.js';
import { loadConfiguration } from '../../src/config/load.js';
import { Secret } from '../../src/secret.js';
import { archiveFolder } from '../../src/storage/archive-folder.js';
import { catalogSnapshots } from '../../src/storage/catalog-snapshot.js';
import { openSqliteCatalog } from '../../src/storage/sqlite.js';

/** @param pin of the default cluster. @param hasKeys whether the cluster counts as connected. @returns the path of the archive, in the deployment's folder */
export async function makeArchive(
  configurationPath: string,
  folder: string,
  pin: string,
  hasKeys = true,
): Promise<string> {
  const configuration = await loadConfiguration(configurationPath);
  const { path } = configuration.catalog;
  const catalog = await openSqliteCatalog({ path, clock: systemClock });
  const onBackgroundError = (error: unknown): void => {
    throw error;
  };
  const opened = new OperatorClusters({
    guard: { judge: () => Promise.resolve(undefined) },
    ...{ configuration, catalog, onBackgroundError, clock: systemClock, log: process.stderr },
  });
  const archiveId = Buffer.from(Array.from({ length: 16 }, () => Math.floor(Math.random() * 256))).toString('hex');
  const snapshot = await catalogSnapshots(path, folder).take();
  const target = await archiveFolder(folder).create(`${archiveId}.backup`);
  try {
    const [cluster] = configuration.clusters;
    if (cluster === undefined) throw new Error('A configuration has a cluster.');
    const credential = { clusterId: cluster.id, pin: Secret.fromUtf8(pin), credentialVersion: 'of the test' };
    const outcome = await opened.connect(cluster, credential);
    if (!outcome.connected) throw outcome.cause;
    await createArchive(
      {
        ...{ clock: systemClock, identity: configuration.identity, holdfastVersion: '0.0.0', callTimeoutMs: 10_000 },
        clusters: () => configuration.clusters.map((each) => ({ ...each, clusterId: each.id })),
        connectedCluster: (id) => (hasKeys && id === cluster.id ? outcome.cluster : undefined),
        isMaterialKept: (id) => catalog.isMaterialKept(id),
        turn: () => Promise.resolve(),
      },
      {
        ...{ archiveId, snapshot, onProgress: () => undefined, signal: new AbortController().signal },
        sink: (bytes) => target.write(bytes),
      },
    );
    await target.publish();
    return join(folder, `${archiveId}.backup`);
  } finally {
    snapshot.discard();
    await target.discard();
    await opened.close();
    await catalog.close();
  }
}
