import type { HsmEvents } from '../hsm/events.js';
import type { ConnectionEvents } from '../keystores/connection-events.js';

/** Compares what the tokens of a cluster hold with the catalog; does nothing where it is not connected. Never rejects. */
export type InventoryCheck = (clusterId: string) => Promise<void>;

/** A token that comes back may hold what was destroyed elsewhere meanwhile: look, as soon as it is there. */
export function withInventoryCheck(events: ConnectionEvents, check: InventoryCheck): ConnectionEvents {
  return {
    ...events,
    connected(place) {
      events.connected(place);
      void check(place.clusterId);
    },
  };
}

/**
 * The same for one member that comes back while its cluster stays connected, or was away when it connected. Those that
 * open while the cluster connects are looked at once it has.
 */
export function withMemberInventoryCheck(events: HsmEvents, check: InventoryCheck): HsmEvents {
  return {
    ...events,
    memberOpened(place, token, profile) {
      events.memberOpened(place, token, profile);
      void check(place.clusterId);
    },
    memberReconnected(place) {
      events.memberReconnected(place);
      void check(place.clusterId);
    },
  };
}
