import type { HsmEvents } from '../hsm/events.js';
import type { ConnectionEvents } from '../keystores/connection-events.js';
import type { HangTracker } from './hang-tracker.js';
import type { InventoryCheck } from './inventory-check.js';

/** The service's reactions to events of an HSM or a connection. */
export interface Reactions {
  /** A returning token may contain keys that were destroyed elsewhere meanwhile. */
  checkInventory: InventoryCheck;
  /** A member lacks a key material that others have. */
  noteMissing: (clusterId: string) => void;
  /**
   * Health may have changed. Called in a later turn of the event loop: the code that reports an event has not finished
   * yet.
   */
  lookAtReadiness: () => void;
  hangTracker: HangTracker;
}

/** The reactions to events of members. They do not depend on telemetry, which only listens. */
export function hsmReactions(reactions: Reactions): Partial<HsmEvents> {
  const { checkInventory, noteMissing, lookAtReadiness, hangTracker } = reactions;
  return {
    memberOpened({ clusterId }) {
      void checkInventory(clusterId);
      setImmediate(lookAtReadiness);
    },
    memberReconnected: ({ clusterId }) => void checkInventory(clusterId),
    memberSuspended: () => void setImmediate(lookAtReadiness),
    memberResumed: () => void setImmediate(lookAtReadiness),
    memberReconnecting: () => void setImmediate(lookAtReadiness),
    memberStuck: () => hangTracker.memberIsStuck(),
    copyMissing: ({ clusterId }) => noteMissing(clusterId),
    inventoryFailed: ({ clusterId }) => noteMissing(clusterId),
    lanesHung: () => hangTracker.laneHangs(),
  };
}

/**
 * The reactions to events of connections. Members that open while a cluster connects are checked once it is connected.
 */
export function connectionReactions({ checkInventory, lookAtReadiness }: Reactions): Partial<ConnectionEvents> {
  return {
    connected({ clusterId }) {
      void checkInventory(clusterId);
      setImmediate(lookAtReadiness);
    },
    connectFailed: () => void setImmediate(lookAtReadiness),
    disconnecting: () => void setImmediate(lookAtReadiness),
    disconnected: () => void setImmediate(lookAtReadiness),
  };
}

/** Reports to telemetry first, so the log has the cause before its effects, and reacts even if telemetry fails. */
export function reportAndReact<Events extends object>(telemetry: Events, reactions: Partial<Events>): Events {
  const both = Object.entries(reactions).map(([name, react]) => {
    const report = telemetry[name as keyof Events] as (...details: unknown[]) => void;
    const listener = (...details: unknown[]): void => {
      try {
        report(...details);
      } finally {
        (react as (...details: unknown[]) => void)(...details);
      }
    };
    return [name, listener] as const;
  });
  return { ...telemetry, ...Object.fromEntries(both) };
}
