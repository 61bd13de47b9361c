import { type Clock, delay } from '../clock.js';
import type { HsmCall } from '../calls/hsm-call.js';
import type { ClusterRequest, ClusterResult, MaterialReference } from '../clusters/hsm-cluster.js';
import { HoldfastError } from '../errors.js';
import { enoughOf } from './enough-of.js';
import type { HsmEvents } from './events.js';
import { isNativeFailure } from './failure.js';
import { type KeyMakingTools, makeKeyOn } from './key-making.js';
import type { Member } from './member.js';
import type { MissingCopies } from './missing-copies.js';

/** How much longer a new key waits for the other members once enough have proved it, in milliseconds. */
const stragglerMs = 1_000;
/** The pause before a member is asked again for a new key, in milliseconds; it doubles. */
const firstPauseMs = 20;
const maximumPauseMs = 1_000;

/** The dependencies, all of one connected cluster. */
export interface VendorReplicationTools extends KeyMakingTools {
  clusterId: string;
  minimumMembers: number;
  missing: MissingCopies;
  clock: Clock;
  events: Pick<HsmEvents, 'copyMissing'>;
}

/**
 * New keys of a cluster with `replication: vendor`: the vendor's own cluster copies them. They never become extractable,
 * and nothing is copied here. A key counts on a member once it has proved itself there by its canary.
 */
export class VendorReplication {
  readonly #tools: VendorReplicationTools;

  constructor(tools: VendorReplicationTools) {
    this.#tools = tools;
  }

  /**
   * Makes a key on one member, and waits until it has appeared on as many as the cluster's minimum.
   * @throws CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION if too few members take work, before a token is asked;
   *   DEPENDENCY_TIMEOUT if it does not appear by the deadline, or the failure of a member
   */
  async generate(
    request: ClusterRequest<'generateKeyMaterial'>,
    call: HsmCall,
  ): Promise<ClusterResult<'generateKeyMaterial'>> {
    const { memberSet, missing, calls, minimumMembers } = this.#tools;
    const [maker, ...others] = memberSet.members.filter((member) => member.isAdmitted);
    if (maker === undefined) throw calls.noMember();
    if (1 + others.length < minimumMembers) throw this.#tooFew(1 + others.length);
    const material = await makeKeyOn(maker, this.#tools, request, false, call);
    for (const member of memberSet.members) if (member !== maker) missing.note(material.materialId, member);
    const proved = others.length === 0 ? [] : await this.#appeared(material, others, call);
    const memberNames = [maker, ...proved].map(({ place }) => place.memberName).sort();
    return { canary: material.canary, extractable: false, memberNames };
  }

  /**
   * Destroys a key on all members that take work, one after the other. The vendor's cluster removes it from all, perhaps
   * while another is asked: then that one is asked once more whether it is gone. A member that is away hears of it from
   * the vendor; if the key turns up there again, the comparison with the catalog destroys it.
   * @throws KEY_UNAVAILABLE if no member takes work, or the failure of one
   */
  async destroy(members: readonly Member[], destroyOn: (member: Member) => Promise<unknown>): Promise<void> {
    const serving = members.filter(({ isAdmitted }) => isAdmitted);
    if (serving.length === 0) throw this.#tools.calls.noMember();
    for (const member of serving) {
      try {
        await destroyOn(member);
      } catch (error) {
        if (!isNativeFailure(causeOf(error)) || serving.length === 1) throw error;
        await destroyOn(member);
      }
    }
  }

  /** The members on which it has appeared, at least the minimum without the maker. */
  async #appeared(material: MaterialReference, others: readonly Member[], call: HsmCall): Promise<Member[]> {
    const { missing, minimumMembers, clock, events } = this.#tools;
    const failures: unknown[] = [];
    const awaitOn = async (member: Member): Promise<Member> => {
      try {
        await this.#awaitOn(member, material, call);
        missing.forget(material.materialId, member);
        return member;
      } catch (error) {
        failures.push(error);
        events.copyMissing(member.place, material.materialId, error);
        throw error;
      }
    };
    const proved = await enoughOf(others.map(awaitOn), minimumMembers - 1, (signal) =>
      delay(clock, stragglerMs, signal),
    );
    if (proved.length + 1 >= minimumMembers) return proved;
    missing.forgetMaterial(material.materialId);
    throw failures[0];
  }

  /** Asks the member again and again, with growing pauses, until the key is there or the request's time is over. */
  async #awaitOn(member: Member, material: MaterialReference, call: HsmCall): Promise<void> {
    const { clock } = this.#tools;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(2 * pauseMs, maximumPauseMs)) {
      if (await this.#proves(member, material, call)) return;
      // The rest is for the answer, which must not be late.
      if (call.deadlineMs - clock.monotonicMs() < 2 * pauseMs) throw this.#tooLate(member);
      await delay(clock, pauseMs, never);
    }
  }

  /** @returns false if the member does not have it yet, which is no failure */
  async #proves(member: Member, material: MaterialReference, call: HsmCall): Promise<boolean> {
    const { pool, calls, memberSet, materials } = this.#tools;
    const reference = materials.referenceTo(material);
    const untilMs = memberSet.tryDeadlineMs(call);
    const target = { operation: 'probe', materialId: material.materialId } as const;
    const { isThere } = await calls.judged(member, target, call, async () => {
      try {
        return { ...(await pool.probe(member.index, reference, untilMs)), isThere: true };
      } catch (error) {
        if (!isNativeFailure(error) || error.kind !== 'material-missing') throw error;
        return { epoch: error.epoch, startedMs: undefined, laneMs: undefined, isThere: false };
      }
    });
    return isThere;
  }

  #tooFew(count: number): HoldfastError {
    const { clusterId, minimumMembers } = this.#tools;
    const message = `A new key must be on ${minimumMembers} members of cluster ${clusterId}, and ${count} can take it now.`;
    return new HoldfastError('CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION', message, { retryable: true });
  }

  #tooLate({ place }: Member): HoldfastError {
    const { clusterId, memberName } = place;
    const message = `The vendor's replication has not brought the new key to member ${memberName} of cluster ${clusterId} in time. Try again.`;
    return new HoldfastError('DEPENDENCY_TIMEOUT', message);
  }
}

function causeOf(error: unknown): unknown {
  return error instanceof HoldfastError ? error.cause : error;
}

const never = new AbortController().signal;
