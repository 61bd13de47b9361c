import { type Clock, delay } from '../clock.js';
import type { HsmCall } from '../calls/hsm-call.js';
import type { ClusterRequest, ClusterResult, MaterialReference } from '../clusters/hsm-cluster.js';
import { HoldfastError } from '../errors.js';
import { enoughOf } from './enough-of.js';
import type { HsmEvents } from './events.js';
import { isNativeFailure } from './failure.js';
import { Generations } from './generations.js';
import { changedTrust } from './member-trust.js';
import { type KeyMakingTools, makeKeyOn } from './key-making.js';
import type { Member } from './member.js';
import type { MissingCopies } from './missing-copies.js';
import type { NativeFailure } from './native.js';
import type { NativeGeneration } from './native-ceremony.js';

/** How much longer a new key waits for the other members once enough have proved it, in milliseconds. */
const stragglerMs = 1_000;

/** One material on its way to other members. */
interface Copying {
  material: MaterialReference;
  /** The generation of the wrapping keys. */
  generation: number;
  /** No other member had it a short while ago: it was made just now, or the receiver's keys were listed. */
  isNew: boolean;
  call: HsmCall;
}

/** The dependencies of replication, all of one connected cluster. */
export interface ReplicationTools extends KeyMakingTools {
  clusterId: string;
  minimumMembers: number;
  /** Left out: enforced. */
  trust?: 'enforced' | 'unenforced' | undefined;
  missing: MissingCopies;
  clock: Clock;
  operationTimeoutMs: number;
  events: Pick<HsmEvents, 'copyMissing' | 'generationBehind'>;
}

/**
 * Keeps the keys of a cluster with `replication: wrapped` on all its members: they travel under the wrapping keys of the
 * generation in use (docs/decisions/0016), and each copy proves itself by the material's canary.
 */
export class Replication {
  readonly generations: Generations;
  readonly #tools: ReplicationTools;

  constructor(tools: ReplicationTools) {
    this.#tools = tools;
    const { minimumMembers, trust, events } = tools;
    const rules = { enforced: trust !== 'unenforced', minimumMembers };
    this.generations = new Generations((member) => this.#readMarks(member), rules, events);
  }

  /** Makes a key on one member and copies it to all others that can receive it. */
  async generate(
    request: ClusterRequest<'generateKeyMaterial'>,
    call: HsmCall,
  ): Promise<ClusterResult<'generateKeyMaterial'>> {
    const { memberSet, missing } = this.#tools;
    const { generation, members } = await this.#receivers();
    const [maker, ...others] = members;
    const material = await makeKeyOn(maker, this.#tools, request, true, call);
    for (const member of memberSet.members) if (member !== maker) missing.note(material.materialId, member);
    const copying: Copying = { material, generation, isNew: true, call };
    const proved = others.length === 0 ? [] : await this.#proved(copying, maker, others);
    const memberNames = [maker, ...proved].map(({ place }) => place.memberName).sort();
    return { canary: material.canary, extractable: true, memberNames };
  }

  /** Copies a material from any member that has it. */
  async copy(
    { material, memberName, isAbsent = false }: ClusterRequest<'copyKeyMaterial'>,
    call: HsmCall,
  ): Promise<ClusterResult<'copyKeyMaterial'>> {
    const { calls, memberSet, missing } = this.#tools;
    const target = memberSet.openMember(memberName);
    if (target === undefined) throw calls.noMember(`Member ${memberName} is not connected.`);
    await this.generations.readNew(memberSet.members);
    const generation = this.generations.inUse;
    if (generation === undefined || !this.generations.isCurrent(target)) throw this.#behind(memberName);
    const copying: Copying = { material, generation, isNew: isAbsent, call };
    const made = await this.#unwrap(target, copying, await this.#wrapSomewhere(copying, target));
    missing.forget(material.materialId, target);
    return { copied: made > 0 };
  }

  /** Makes a material of a blob from a backup. */
  async restore(
    { material, memberName, generation, blob, isAbsent = false }: ClusterRequest<'restoreKeyMaterial'>,
    call: HsmCall,
  ): Promise<ClusterResult<'restoreKeyMaterial'>> {
    const { calls, memberSet, missing } = this.#tools;
    const target = memberSet.openMember(memberName);
    if (target === undefined) throw calls.noMember(`Member ${memberName} is not connected.`);
    await this.generations.readNew(memberSet.members);
    if (!this.generations.numbersOf(target).includes(generation)) throw this.#behind(memberName);
    const made = await this.#unwrap(target, { material, generation, isNew: isAbsent, call }, blob);
    missing.forget(material.materialId, target);
    return { copied: made > 0 };
  }

  /** As `ClusterOperations.resolveDuplicates`. */
  async resolveDuplicates(
    { material, memberName }: ClusterRequest<'resolveDuplicates'>,
    call: HsmCall,
  ): Promise<ClusterResult<'resolveDuplicates'>> {
    const { pool, calls, memberSet, materials } = this.#tools;
    const target = memberSet.openMember(memberName);
    if (target === undefined) throw calls.noMember(`Member ${memberName} is not connected.`);
    const reference = materials.referenceTo(material);
    const what = { operation: 'resolve-duplicates', materialId: material.materialId } as const;
    const destroyed = await calls.once(target, what, call, async () =>
      pool.resolveDuplicates(target.index, reference, memberSet.tryDeadlineMs(call)),
    );
    return { destroyed };
  }

  /** The members that can take part in the making of a key, at least the cluster's minimum. */
  async #receivers(): Promise<{ generation: number; members: [Member, ...Member[]] }> {
    const { calls, memberSet, minimumMembers } = this.#tools;
    if (memberSet.admittedCount === 0) throw calls.noMember();
    await this.generations.readNew(memberSet.members);
    const generation = this.generations.inUse;
    const [first, ...others] = memberSet.members.filter(
      (member) => member.isAdmitted && this.generations.isCurrent(member),
    );
    if (generation === undefined || first === undefined) throw this.#tooFew(0);
    if (1 + others.length < minimumMembers) throw this.#tooFew(1 + others.length);
    return { generation, members: [first, ...others] };
  }

  /**
   * Copies a new key to the others. Resolves with those that have proved it in time, or soon after there were enough.
   * One that comes later is known to have it from then on; one that fails is repaired.
   * @throws the failure of a copy if there are too few
   */
  async #proved(copying: Copying, maker: Member, others: readonly Member[]): Promise<Member[]> {
    const { missing, minimumMembers, clock, events } = this.#tools;
    const { materialId } = copying.material;
    const blob = this.#wrap(maker, copying);
    const failures: unknown[] = [];
    const copyTo = async (member: Member): Promise<Member> => {
      try {
        await this.#unwrap(member, copying, await blob);
        missing.forget(materialId, member);
        return member;
      } catch (error) {
        failures.push(error);
        events.copyMissing(member.place, materialId, error);
        throw error;
      }
    };
    const proved = await enoughOf(others.map(copyTo), minimumMembers - 1, (signal) =>
      delay(clock, stragglerMs, signal),
    );
    if (proved.length + 1 >= minimumMembers) return proved;
    missing.forgetMaterial(materialId);
    throw failures[0];
  }

  /** Wraps the material on one of the members that have it, one after the other. */
  async #wrapSomewhere(copying: Copying, target: Member): Promise<Uint8Array> {
    const { calls, memberSet, missing } = this.#tools;
    const lacking = missing.membersLacking(copying.material.materialId);
    const sources = memberSet.members.filter(
      (member) => member !== target && member.isAdmitted && lacking?.has(member) !== true,
    );
    let failure: unknown = calls.noMember('No other member that has the key material takes work.');
    for (const member of sources.filter((source) => this.generations.isCurrent(source))) {
      try {
        return await this.#wrap(member, copying);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  #wrap(member: Member, { material, generation, call }: Copying): Promise<Uint8Array> {
    const { pool, calls, memberSet, materials, clusterId } = this.#tools;
    const reference = materials.referenceTo(material);
    const target = { operation: 'wrap-key', materialId: material.materialId } as const;
    return calls.once(member, target, call, async () =>
      pool.wrapKey(member.index, reference, clusterId, generation, memberSet.tryDeadlineMs(call)),
    );
  }

  /** @returns how many keys were made: none if the member had it, and it has proved itself. */
  #unwrap(member: Member, { material, generation, isNew, call }: Copying, blob: Uint8Array): Promise<number> {
    const { pool, calls, memberSet, materials, clusterId, missing } = this.#tools;
    const reference = materials.referenceTo(material);
    const target = { operation: 'unwrap-key', materialId: material.materialId } as const;
    return calls.once(member, target, call, async () => {
      const untilMs = memberSet.tryDeadlineMs(call);
      // An earlier copy may have come since, or hang; or the member was opened anew, perhaps with another token.
      const lacksIt = missing.begin(material.materialId, member);
      try {
        return await pool.unwrapKey(member.index, reference, clusterId, generation, blob, isNew && lacksIt, untilMs);
      } catch (error) {
        if (lacksIt && !mayComeLate(error)) missing.end(material.materialId, member);
        throw error;
      }
    });
  }

  async #readMarks(member: Member): Promise<NativeGeneration[]> {
    const { pool, calls, clusterId, clock, operationTimeoutMs } = this.#tools;
    const deadlineMs = clock.monotonicMs() + operationTimeoutMs;
    return calls.once(member, { operation: 'generations' }, undefined, () =>
      pool.generations(member.index, clusterId, deadlineMs),
    );
  }

  /** Reads the marks of the open members. @throws MemberOpenError if some were made with another trust */
  async requireConfiguredTrust(): Promise<void> {
    await this.generations.readNew(this.#tools.memberSet.members);
    const { contradiction } = this.generations;
    if (contradiction === undefined) return;
    const { member, generation } = contradiction;
    throw changedTrust(member.place, generation, this.#tools.trust ?? 'enforced');
  }

  #tooFew(count: number): HoldfastError {
    const { clusterId, minimumMembers } = this.#tools;
    const hasKeys = this.generations.inUse !== undefined;
    const message = hasKeys
      ? `A new key must be on ${minimumMembers} members of cluster ${clusterId}, and ${count} can take it now.`
      : `Cluster ${clusterId} has no wrapping keys: its operator makes them with holdfast cluster init.`;
    return new HoldfastError('CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION', message, { retryable: hasKeys });
  }

  #behind(memberName: string): HoldfastError {
    const message = `Member ${memberName} of cluster ${this.#tools.clusterId} lacks the wrapping keys in use.`;
    return new HoldfastError('CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION', message, { retryable: false });
  }
}

/** Whether the call of a failed operation may still be inside the module. */
function mayComeLate(error: unknown): boolean {
  return !isNativeFailure(error) || inTheModule.has(error.kind);
}

const inTheModule: ReadonlySet<NativeFailure['kind']> = new Set(['overdue', 'lane-deadline', 'cancelled', 'closed']);
