/** Compares what the tokens of a cluster hold with the catalog; does nothing where it is not connected. Never rejects. */
export type InventoryCheck = (clusterId: string) => Promise<void>;

/**
 * The same check, of which one at a time runs for a cluster and at most one more is due: members that come back together
 * are all looked at by either. Who asks while one runs has the end of the next one, for the running one may have passed
 * his member already.
 */
export function oneAtATime(check: InventoryCheck): InventoryCheck {
  const running = new Map<string, Promise<void>>();
  const due = new Map<string, Promise<void>>();
  const run = (clusterId: string): Promise<void> => {
    const ends = check(clusterId).finally(() => running.delete(clusterId));
    running.set(clusterId, ends);
    return ends;
  };
  const afterwards = (clusterId: string, current: Promise<void>): Promise<void> => {
    const next = current.then(() => {
      due.delete(clusterId);
      return run(clusterId);
    });
    due.set(clusterId, next);
    return next;
  };
  return (clusterId) => {
    const current = running.get(clusterId);
    if (current === undefined) return due.get(clusterId) ?? run(clusterId);
    return due.get(clusterId) ?? afterwards(clusterId, current);
  };
}
