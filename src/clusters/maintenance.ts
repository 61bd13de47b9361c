/** A member that an operator has taken out of service. */
export interface DrainedMember {
  clusterId: string;
  /** Its name in the configuration. */
  memberName: string;
  drainedDate: Date;
}

/**
 * The port to the durable record of maintenance: a drained member stays out through restarts, and in every process.
 * Implemented by `storage/`. Every promise that resolves after a write means "committed and synced".
 */
export interface MaintenanceCatalog {
  listDrainedMembers(): Promise<DrainedMember[]>;
  /** Harmless for a member that is recorded already: it keeps its date. */
  recordDrainedMember(member: DrainedMember): Promise<void>;
  /** Harmless for a member that is not recorded. */
  forgetDrainedMember(clusterId: string, memberName: string): Promise<void>;
}
