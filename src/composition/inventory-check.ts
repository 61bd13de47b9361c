import type { ConnectionEvents } from '../keystores/connection-events.js';

/** A token that comes back may hold what was destroyed elsewhere meanwhile: look, as soon as it is there. */
export function withInventoryCheck(
  events: ConnectionEvents,
  check: (clusterId: string) => Promise<void>,
): ConnectionEvents {
  return {
    ...events,
    connected(place) {
      events.connected(place);
      void check(place.clusterId);
    },
  };
}
