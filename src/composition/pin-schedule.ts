import { ActAudit, serviceActor } from '../audit/act-audit.js';
import type { LeaseTools } from '../coordination/held-lease.js';
import type { ConfiguredHsmClusters } from '../hsm/clusters.js';
import { PinSchedule } from '../jobs/pin-schedule.js';
import type { KeyStoreAdministration } from '../keystores/administration.js';
import type { KeyStoreRegistry } from '../keystores/registry.js';
import { backgroundErrorEvent } from '../telemetry/events.js';
import { ownActEvents } from '../telemetry/own-act-events.js';
import type { Foundation } from './foundation.js';

const dayMs = 86_400_000;

/** Watches the ages of PINs by the limits of the configuration. */
export function composePinSchedule(
  { configuration, catalog, clock, identifiers, auditFile, telemetry: { sink } }: Foundation,
  parts: {
    registry: KeyStoreRegistry;
    configuredClusters: Pick<ConfiguredHsmClusters, 'status'>;
    keyStores: KeyStoreAdministration;
    leases: LeaseTools;
  },
): PinSchedule {
  const { maximumAgeDays, rotateAfterDays } = configuration.keyStorePins;
  const { hsmClusters, defaultClusterId, passwordSealer, pinRotations } = parts.keyStores;
  return new PinSchedule({
    ...{ catalog, clock, hsmClusters, defaultClusterId, passwordSealer, leases: parts.leases },
    connections: parts.registry,
    rotations: pinRotations,
    isWhole: (id) =>
      parts.configuredClusters
        .status()
        .find(({ clusterId }) => clusterId === id)
        ?.members.every(({ statistics }) => statistics?.admitted === true) ?? false,
    limits: {
      maximumAgeMs: maximumAgeDays === null ? null : maximumAgeDays * dayMs,
      rotateAfterMs: rotateAfterDays === null ? null : rotateAfterDays * dayMs,
    },
    audit: new ActAudit({
      ...{ auditLog: auditFile, clock, identifiers, actor: serviceActor },
      onActed: ownActEvents(sink).onActed,
    }),
    onBackgroundError: backgroundErrorEvent(sink),
  });
}
