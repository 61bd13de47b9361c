import type { ActAudit } from '../src/audit/act-audit.js';
import type { LeaseTools } from '../src/coordination/held-lease.js';
import { RollbackGuard } from '../src/jobs/rollback-guard.js';
import { WitnessRefresh, type WitnessRefreshOptions } from '../src/jobs/witness-refresh.js';
import type { SqliteCatalog } from '../src/storage/sqlite.js';

/** The witnesses of a catalog, with a guard that accepts no rollback. Their rounds are started by the test. */
export function testWitness(
  core: WitnessRefreshOptions['core'],
  catalog: SqliteCatalog,
  audit: ActAudit,
  leases: LeaseTools,
  clusterIds: readonly string[] = [],
): WitnessRefresh {
  const { clock, onBackgroundError } = core;
  const guard = new RollbackGuard({
    ...{ catalog, audit, clock, onBackgroundError, acceptsRollback: false },
    onUnwitnessed: (place) => witness.writeAgain(place),
  });
  const witness = new WitnessRefresh({
    ...{ core, catalog, guard, leases, clusterIds: () => clusterIds },
    onRefreshed: () => undefined,
  });
  return witness;
}
