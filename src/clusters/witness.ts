/**
 * The witnesses of a catalog: each member keeps one, so that a catalog that was rolled back is noticed. They say which
 * catalog used the member last, and how far that had come.
 */

/** The witness on a member's token. */
export interface Witness {
  /** That of the catalog: 32 lower-case hex digits. */
  incarnationId: string;
  /** That of the catalog when the witness was written. */
  epoch: number;
  /** When that epoch began; when it was written, if that is not known. Tells two copies of a catalog apart that went different ways. */
  epochDate: Date;
  /** Whose catalog it is, for people. */
  deployment: string;
}

/** Which catalog this is, and how far it has come. */
export interface CatalogEpoch {
  incarnationId: string;
  /** Rises before a witness is written; never falls in one incarnation. */
  epoch: number;
  /** The incarnations that this one was restored from, or that an operator had it take over from. */
  predecessorIds: readonly string[];
}

/**
 * The witnesses of catalogs that this one does not follow: the same incarnation further on, or an incarnation that it
 * does not name as a predecessor. None if it follows them all.
 */
export function unfollowedWitnesses(catalog: CatalogEpoch, witnesses: readonly Witness[]): Witness[] {
  return witnesses.filter(({ incarnationId, epoch }) =>
    incarnationId === catalog.incarnationId ? epoch > catalog.epoch : !catalog.predecessorIds.includes(incarnationId),
  );
}

/** Whether the witnesses are what the catalog last wrote there: exactly one, with its epoch. */
export function isWitnessed(catalog: CatalogEpoch, witnesses: readonly Witness[]): boolean {
  const [first] = witnesses;
  return witnesses.length === 1 && first?.incarnationId === catalog.incarnationId && first.epoch === catalog.epoch;
}

/** The most bytes of a deployment's name in a witness. */
const maxDeploymentBytes = 128;

/** Names a deployment in its witnesses. Further accounts are left out. */
export function deploymentName(identity: { partition: string; region: string; accounts: readonly string[] }): string {
  const name = [identity.partition, identity.region, ...identity.accounts.slice(0, 1)].join(':');
  return Buffer.byteLength(name) <= maxDeploymentBytes ? name : name.slice(0, maxDeploymentBytes / 4);
}
