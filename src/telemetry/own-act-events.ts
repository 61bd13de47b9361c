/** The events of what the service does without a request. */
import type { ActListener } from '../audit/act-audit.js';
import type { UnaccountedMaterial } from '../jobs/intent-recovery.js';
import type { Reconciliation } from '../jobs/reconciliation.js';
import type { RollbackGuardOptions } from '../jobs/rollback-guard.js';
import type { WitnessListener } from '../jobs/witness-refresh.js';
import type { DeletionHold } from '../keys/time-record.js';
import type { EventSink } from './events.js';

/** Acts of the service itself. */
export function ownActEvents(sink: EventSink): {
  onActed: ActListener;
  onHold: (hold: DeletionHold | null) => void;
  onUnaccountedMaterial: (found: UnaccountedMaterial) => void;
  onReconciled: (result: Reconciliation) => void;
  onUnwitnessed: RollbackGuardOptions['onUnwitnessed'];
  onWitnessRefreshed: WitnessListener;
} {
  return {
    onActed: actEvent(sink),
    onHold: deletionHoldEvent(sink),
    onUnaccountedMaterial: unaccountedMaterialEvent(sink),
    onReconciled: reconciledEvent(sink),
    onUnwitnessed: unwitnessedEvent(sink),
    onWitnessRefreshed: witnessEvent(sink),
  };
}

/**
 * Acts of the service: each has its records in the audit log, too. A failure is reported by the code that started the
 * act.
 */
function actEvent({ logger, metrics }: EventSink): ActListener {
  return ({ operation, resources, parameters }, error) => {
    metrics?.counters.serviceActs.inc({ operation, outcome: error === undefined ? 'success' : 'failed' });
    if (error === undefined) logger.info({ operation, resources, parameters }, 'the service acted by itself');
  };
}

/** Deletions that are held, or resume. */
function deletionHoldEvent({ logger }: EventSink): (hold: DeletionHold | null) => void {
  return (hold) => {
    if (hold === null) return;
    const { reason, since, expected, found } = hold;
    logger.error(
      { reason, since, expected, found },
      'ALERT: deletions are held until an operator confirms: holdfast deletion-hold describe',
    );
  };
}

/** Members of wrapped clusters that lacked keys, or have keys that are not what the catalog says. */
function reconciledEvent({ logger }: EventSink): (result: Reconciliation) => void {
  return ({ clusterId, dryRun, copiedElsewhere, members }) => {
    for (const { memberName, ...found } of members) {
      const { missing, copied, failed, duplicateMaterialIds: duplicates, driftedMaterialIds: drifted } = found;
      const place = { clusterId, memberName };
      if (missing > 0)
        logger.warn({ ...place, missing, copied, failed, dryRun, copiedElsewhere }, 'member lacked key materials');
      if (duplicates.length > 0) logger.error({ ...place, duplicates }, 'ALERT: key materials are on a token twice');
      if (drifted.length > 0) logger.error({ ...place, drifted }, 'ALERT: keys on a token have changed');
    }
  };
}

/** Material that the catalog does not account for: from another catalog, an old one, or a token that others use too. */
function unaccountedMaterialEvent({ logger, metrics }: EventSink): (found: UnaccountedMaterial) => void {
  return ({ clusterId, memberName, materialIds }) => {
    const place = { cluster: metrics?.cluster(clusterId) ?? '', member: memberName };
    const count = materialIds.length;
    metrics?.gauges.unaccountedMaterials.set(place, count);
    if (count === 0) return;
    logger.error(
      { clusterId, memberName, count, materialIds: materialIds.slice(0, 5) },
      'ALERT: the token holds keys that the catalog does not know; they were left alone',
    );
    metrics?.counters.unaccountedMaterialReports.inc(place);
  };
}

/** A member without the present witness: it is new, its image is old, or it was away. */
function unwitnessedEvent({ logger }: EventSink): RollbackGuardOptions['onUnwitnessed'] {
  return ({ clusterId, memberName }, found, { epoch }) => {
    const foundEpochs = found.map((witness) => witness.epoch);
    logger.info({ clusterId, memberName, foundEpochs, epoch }, 'the witness on the member is written again');
  };
}

/** The refresh of a witness. */
function witnessEvent({ logger, metrics }: EventSink): WitnessListener {
  return ({ clusterId, memberName }, error, isNews) => {
    const place = { cluster: metrics?.cluster(clusterId) ?? '', member: memberName };
    metrics?.gauges.witnessFailing.set(place, error === undefined ? 0 : 1);
    if (!isNews) return;
    if (error === undefined) logger.info({ clusterId, memberName }, 'the witness on the member is current again');
    else logger.error({ clusterId, memberName, err: error }, 'ALERT: the witness on the member could not be refreshed');
  };
}
