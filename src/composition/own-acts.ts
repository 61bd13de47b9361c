import { ActAudit, type ActListener, serviceActor } from '../audit/act-audit.js';
import type { AuditLog } from '../audit/log.js';
import type { LeaseTools } from '../coordination/held-lease.js';
import type { KeysCore } from '../keys/core.js';
import { KeyDeletion } from '../jobs/key-deletion.js';
import { IntentRecovery, type IntentRecoveryOptions } from '../jobs/intent-recovery.js';
import { Reconciler, type ReconcilerOptions } from '../jobs/reconciler.js';
import type { DeletionHold } from '../keys/time-record.js';
import { RollbackGuard, type RollbackGuardOptions } from '../jobs/rollback-guard.js';
import { TimeWatch } from '../jobs/time-watch.js';
import { WitnessRefresh, type WitnessRefreshOptions } from '../jobs/witness-refresh.js';

/** The acts that a server does without a request. */
export interface OwnActs {
  keyDeletion: KeyDeletion;
  intentRecovery: IntentRecovery;
  reconciler: Reconciler;
  rollbackGuard: RollbackGuard;
  witnesses: WitnessRefresh;
}

/** The witnesses of the catalog: where they are, and whether an older catalog is accepted. */
export type Witnessing = Pick<WitnessRefreshOptions, 'catalog' | 'clusterIds'> &
  Pick<RollbackGuardOptions, 'acceptsRollback'>;

/** The listeners of those acts. */
export interface OwnActListeners {
  onActed: ActListener;
  onHold: (hold: DeletionHold | null) => void;
  onUnaccountedMaterial: IntentRecoveryOptions['onUnaccountedMaterial'];
  onReconciled: ReconcilerOptions['onReconciled'];
  onUnwitnessed: RollbackGuardOptions['onUnwitnessed'];
  onWitnessRefreshed: WitnessRefreshOptions['onRefreshed'];
}

/**
 * Composes the server's own acts, all behind one audit and one watched clock.
 * @param createdCatalog path of the catalog that this start has created, for the record; undefined if it existed
 * @param reconciled the clusters whose members are reconciled
 * @param witnessing the catalog whose members keep witnesses of it
 */
export async function composeOwnActs(
  core: KeysCore,
  auditLog: AuditLog,
  leases: LeaseTools,
  listeners: OwnActListeners,
  createdCatalog: string | undefined,
  reconciled: Pick<ReconcilerOptions, 'clusterIds' | 'vendorClusterIds' | 'copiesPerSecond' | 'settledAfterMs'>,
  witnessing: Witnessing,
): Promise<OwnActs> {
  const { catalog, clock, identifiers, onBackgroundError } = core;
  const { onActed, onHold, onUnaccountedMaterial, onReconciled, onUnwitnessed, onWitnessRefreshed } = listeners;
  const audit = new ActAudit({ auditLog, clock, identifiers, actor: serviceActor, onActed });
  const timeWatch = new TimeWatch({ catalog, clock, audit, onHold, onBackgroundError });
  if (createdCatalog !== undefined) {
    const act = { operation: 'CreateCatalog', resources: [], parameters: { path: createdCatalog } } as const;
    await audit.note(act).catch((error: unknown) => onBackgroundError(error, 'recording that the catalog was made'));
  }
  const guardTools = { catalog: witnessing.catalog, audit, clock, acceptsRollback: witnessing.acceptsRollback };
  const rollbackGuard = new RollbackGuard({
    ...guardTools,
    onBackgroundError,
    onUnwitnessed(place, found, epoch) {
      onUnwitnessed(place, found, epoch);
      witness.writeAgain(place);
    },
  });
  const { catalog: witnessCatalog, clusterIds } = witnessing;
  const witness = new WitnessRefresh({
    ...{ core, catalog: witnessCatalog, guard: rollbackGuard, leases, clusterIds, onRefreshed: onWitnessRefreshed },
  });
  const destroying = { core, audit, timeWatch, leases, witness };
  const intentRecovery = new IntentRecovery({ ...destroying, onUnaccountedMaterial });
  return {
    keyDeletion: new KeyDeletion(destroying),
    intentRecovery,
    reconciler: new Reconciler({ core, audit, leases, intentRecovery, onReconciled, ...reconciled }),
    rollbackGuard,
    witnesses: witness,
  };
}
