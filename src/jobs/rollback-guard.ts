import type { ActAudit } from '../audit/act-audit.js';
import type { Clock } from '../clock.js';
import { isWitnessed, type CatalogEpoch, unfollowedWitnesses, type Witness } from '../clusters/witness.js';
import type { WitnessCatalog } from '../clusters/witness-catalog.js';
import type { BackgroundErrorListener } from '../keys/core.js';

/** A member, by the id of its cluster and its name in the configuration. */
export interface WitnessPlace {
  clusterId: string;
  memberName: string;
}

/** The dependencies of a guard. */
export interface RollbackGuardOptions {
  catalog: Pick<
    WitnessCatalog,
    'readEpoch' | 'findEpochDate' | 'findRollback' | 'recordRollback' | 'acceptRollback' | 'takeOverFrom'
  >;
  audit: ActAudit;
  clock: Clock;
  /**
   * Whether an operator has said that this catalog is to be used, whatever the witnesses say. It holds for one rollback:
   * whoever plants witnesses must not make the service accept them again and again.
   */
  acceptsRollback: boolean;
  /**
   * Whether the catalog, which was restored and not used since, takes over from the other catalog of this witness. It may from any
   * number of them: its counts were raised once, when it was restored. Left out: it was used.
   */
  takesOver?: (witness: Witness) => boolean;
  /** A member's witness is missing, older, or not the only one: it has to be written again. */
  onUnwitnessed: (place: WitnessPlace, found: readonly Witness[], catalog: CatalogEpoch) => void;
  onBackgroundError: BackgroundErrorListener;
}

/**
 * Compares the witnesses of members with the catalog. One that the catalog does not follow means that the catalog was
 * rolled back, or that another one uses the HSMs: deleted keys, old policies and old PINs would live again. So no member
 * is used with it, and the whole process stops, since other keys are of the same old catalog. The finding is recorded in
 * the catalog: other processes on it stop too, and none starts with it.
 *
 * A missing or older witness never stops anything. A member may be new or its image old, and whoever can remove a witness
 * can also write an old one.
 */
export class RollbackGuard {
  /** Resolves with what was found, and what to do, when the process must stop. Otherwise it never does. */
  readonly rolledBack: Promise<string>;
  readonly #options: RollbackGuardOptions;
  #stop: (message: string) => void = () => undefined;
  #found: string | undefined;
  #hasAccepted = false;
  /** One at a time: an operator accepts one rollback, not one for each member that shows it. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: RollbackGuardOptions) {
    this.#options = options;
    this.rolledBack = new Promise((resolve) => (this.#stop = resolve));
  }

  /**
   * Judges the witnesses of a member. They must have been read before: the catalog's epoch rises before a witness is
   * written, so an epoch that is read afterwards is at least theirs, whichever process wrote them.
   * @returns why the member must not be used; undefined if it may be. Rejects when the catalog cannot be read.
   */
  judge(place: WitnessPlace, witnesses: readonly Witness[]): Promise<string | undefined> {
    const judged = this.#last.then(() => this.#judge(place, witnesses));
    this.#last = judged.catch(() => undefined);
    return judged;
  }

  /** @returns why the process is about to stop, if another process has found it, or this one. */
  async lookForFinding(): Promise<string | undefined> {
    if (this.#found !== undefined) return this.#found;
    const recorded = await this.#options.catalog.findRollback();
    // Until its first member shows the witness, this process has not accepted it yet.
    if (recorded !== undefined && !this.#options.acceptsRollback) this.#stopFor(recorded.message);
    return this.#found;
  }

  async #judge(place: WitnessPlace, witnesses: readonly Witness[]): Promise<string | undefined> {
    const { catalog, onUnwitnessed } = this.#options;
    const epoch = await catalog.readEpoch();
    const unfollowed = unfollowedWitnesses(epoch, witnesses);
    const forked = unfollowed.length > 0 ? undefined : await this.#forked(epoch, witnesses);
    const [first, ...others] = forked === undefined ? unfollowed : [forked];
    if (first !== undefined) return this.#refuse(place, [first, ...others], epoch);
    if (epoch.epoch > 0 && !isWitnessed(epoch, witnesses)) onUnwitnessed(place, witnesses, epoch);
    return undefined;
  }

  /**
   * The witness of a copy of this catalog that went another way. An old copy may have raised its epoch to that of the
   * witness, or beyond, before it could reach the member.
   */
  async #forked({ incarnationId }: CatalogEpoch, witnesses: readonly Witness[]): Promise<Witness | undefined> {
    for (const witness of witnesses) {
      if (witness.incarnationId !== incarnationId) continue;
      const date = await this.#options.catalog.findEpochDate(witness.epoch);
      if (date !== undefined && date.getTime() !== witness.epochDate.getTime()) return witness;
    }
    return undefined;
  }

  async #refuse(place: WitnessPlace, witnesses: Unfollowed, epoch: CatalogEpoch): Promise<string | undefined> {
    const { catalog, clock, onBackgroundError, acceptsRollback, takesOver } = this.#options;
    // A later state of this very catalog shows that it was used: then it was rolled back, not restored.
    const areOthers = witnesses.every(({ incarnationId }) => incarnationId !== epoch.incarnationId);
    if (takesOver !== undefined && areOthers && witnesses.every((witness) => takesOver(witness))) {
      await this.#accept(place, witnesses, epoch, (ids) => catalog.takeOverFrom(ids));
      return undefined;
    }
    if (acceptsRollback && !this.#hasAccepted) {
      await this.#accept(place, witnesses, epoch, (ids) => catalog.acceptRollback(ids));
      this.#hasAccepted = true;
      return undefined;
    }
    const message = problemOf(place, witnesses[0], epoch);
    this.#stopFor(message);
    await catalog
      .recordRollback({ foundDate: clock.now(), message })
      .catch((error: unknown) => onBackgroundError(error, 'recording that the catalog was rolled back'));
    return message;
  }

  /** All that this member shows: whoever wrote two must not make it cost two. */
  async #accept(
    place: WitnessPlace,
    witnesses: Unfollowed,
    epoch: CatalogEpoch,
    accept: (incarnationIds: string[]) => Promise<void>,
  ): Promise<void> {
    const [witness, ...others] = witnesses;
    const parameters = {
      cluster_id: place.clusterId,
      member: place.memberName,
      catalog_epoch: epoch.epoch,
      witness_epoch: witness.epoch,
      witness_incarnation: witness.incarnationId,
      other_incarnations: others.map(({ incarnationId }) => incarnationId),
      same_incarnation: witness.incarnationId === epoch.incarnationId,
      was_restored: this.#options.takesOver !== undefined,
    };
    const incarnationIds = witnesses.map(({ incarnationId }) => incarnationId);
    await this.#options.audit.perform({ operation: 'AcceptRollback', resources: [], parameters }, () =>
      accept(incarnationIds),
    );
    this.#options.onUnwitnessed(place, witnesses, epoch);
  }

  #stopFor(message: string): void {
    this.#found ??= message;
    this.#stop(message);
  }
}

/** At least one. */
type Unfollowed = readonly [Witness, ...Witness[]];

const remedy =
  'Stop every process, and put the newest catalog back in its place. If that is lost, `holdfast serve --accept-rollback` ' +
  'goes on with this one (docs/operating/rollback.md says what that costs).';

function problemOf({ clusterId, memberName }: WitnessPlace, witness: Witness, catalog: CatalogEpoch): string {
  const where = `Member ${memberName} of cluster ${clusterId} was last used`;
  const since = witness.epochDate.toISOString();
  if (witness.incarnationId === catalog.incarnationId) {
    return `${where} by a later state of this catalog: its witness has epoch ${witness.epoch}, which began ${since}, and the catalog has ${catalog.epoch} or another one of that number, so it was rolled back. ${remedy}`;
  }
  const other = `${witness.incarnationId} of ${JSON.stringify(witness.deployment)}, epoch ${witness.epoch}`;
  return `${where} by another catalog (${other}, which began ${since}), which this one does not follow. ${remedy}`;
}
