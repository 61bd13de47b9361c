/**
 * Compares the keys on a cluster's tokens with the catalog; does nothing if the cluster is not connected. Never
 * rejects.
 */
export type InventoryCheck = (clusterId: string) => Promise<void>;

/**
 * Runs one check at a time for each cluster, and lets at most one more wait: one check covers all members that return
 * together. A caller that arrives during a check waits for the next one; the current check may already have passed its
 * member.
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
