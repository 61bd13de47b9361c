/** The result of comparing one member of a wrapped cluster with the catalog, and of repairing it. */
export interface MemberReconciliation {
  memberName: string;
  /** Whether it was connected, and its keys could be listed. If not, everything else says "none". */
  compared: boolean;
  /** Whether it has the wrapping keys in use. A member without them gets no copies. */
  isCurrent: boolean;
  /** Key materials of the catalog that it had, and those that it lacked, when it was compared. */
  present: number;
  missing: number;
  /** Of the missing ones: those that it has now, and those that were tried and failed. */
  copied: number;
  failed: number;
  /** CKA_IDs (hex) of secret keys that nothing in the catalog explains. They are never touched. */
  unknownMaterialIds: string[];
  /** Key materials that are more than one object there, and not all the same key: none of them is used (invariant 3). */
  duplicateMaterialIds: string[];
  /** Key materials of this round's sample whose attributes or canary are not what the catalog says. */
  driftedMaterialIds: string[];
}

/** The result of comparing the members of a cluster with the catalog. */
export interface Reconciliation {
  clusterId: string;
  finishedDate: Date;
  /** Nothing was copied or destroyed. */
  dryRun: boolean;
  /** Another process is copying: this one only compared. */
  copiedElsewhere: boolean;
  /** All members of the configuration. */
  members: MemberReconciliation[];
}

/** A member that was not connected, or whose keys could not be listed. */
export function notCompared(memberName: string): MemberReconciliation {
  return {
    memberName,
    compared: false,
    isCurrent: false,
    present: 0,
    missing: 0,
    copied: 0,
    failed: 0,
    unknownMaterialIds: [],
    duplicateMaterialIds: [],
    driftedMaterialIds: [],
  };
}

/** The ids that occur more than once. */
export function repeated(ids: readonly string[]): string[] {
  const seen = new Set<string>();
  const again = new Set<string>();
  for (const id of ids) {
    if (seen.has(id)) again.add(id);
    seen.add(id);
  }
  return [...again];
}
