import { ActAudit, serviceActor } from '../audit/act-audit.js';
import type { LeaseTools } from '../coordination/held-lease.js';
import type { ConfiguredHsmClusters } from '../hsm/clusters.js';
import { Backups } from '../jobs/backups.js';
import { Pace } from '../jobs/pace.js';
import type { KeysCore } from '../keys/core.js';
import { archiveFolder } from '../storage/archive-folder.js';
import { inspectCatalog } from '../storage/catalog-inspection.js';
import { catalogSnapshots } from '../storage/catalog-snapshot.js';
import { ownActEvents } from '../telemetry/own-act-events.js';
import { version } from '../version.js';
import type { Foundation } from './foundation.js';

const hourMs = 3_600_000;
/** The rate of a service without a folder: nothing uses it. */
const unused = { everyHours: null, keep: 1, materialsPerSecond: 1 };
/** The longest wait for a member with one key. */
const callTimeoutMs = 30_000;

/** Builds the backups of the configuration; without its section every request for one is refused. */
export function composeBackups(
  { configuration, clock, catalog, auditFile, telemetry }: Foundation,
  { identity, identifiers, keyStores, onBackgroundError }: KeysCore,
  configuredClusters: Pick<ConfiguredHsmClusters, 'list'>,
  leases: LeaseTools,
): Backups {
  const { backup } = configuration;
  const { everyHours, keep, materialsPerSecond } = backup ?? unused;
  const pace = new Pace(clock, materialsPerSecond);
  const { onActed } = ownActEvents(telemetry.sink);
  return new Backups({
    ...{ catalog, identifiers, leases, keep, onBackgroundError },
    storage:
      backup === null
        ? undefined
        : {
            folder: archiveFolder(backup.folder),
            snapshots: catalogSnapshots(configuration.catalog.path, backup.folder),
            inspectCatalog: () => inspectCatalog(backup.folder, clock),
          },
    archive: {
      ...{ clock, identity, holdfastVersion: version, callTimeoutMs },
      clusters: () => configuredClusters.list(),
      connectedCluster: (clusterId) => keyStores.connectedCluster(clusterId),
      isMaterialKept: (materialId) => catalog.isMaterialKept(materialId),
      turn: (signal) => pace.turn(signal),
    },
    audit: new ActAudit({ auditLog: auditFile, clock, identifiers, actor: serviceActor, onActed }),
    everyMs: everyHours === null ? null : everyHours * hourMs,
  });
}
