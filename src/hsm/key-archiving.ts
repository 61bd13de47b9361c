import type { HsmCall } from '../calls/hsm-call.js';
import type { ClusterRequest, ClusterResult } from '../clusters/hsm-cluster.js';
import { isNativeFailure } from './failure.js';
import type { Generations } from './generations.js';
import type { KeyMakingTools } from './key-making.js';
import type { Member } from './member.js';
import type { MissingCopies } from './missing-copies.js';

/** The dependencies of archiving, all of one connected cluster. */
export interface KeyArchivingTools extends KeyMakingTools {
  clusterId: string;
  missing: MissingCopies;
}

/**
 * What a backup needs of the members of a cluster with `replication: wrapped`. Any member with the generation's keys can do each
 * piece: members take turns, and one that fails is followed by the others.
 */
export class KeyArchiving {
  readonly #tools: KeyArchivingTools;
  readonly #generations: Generations;
  #turn = 0;

  constructor(tools: KeyArchivingTools, generations: Generations) {
    this.#tools = tools;
    this.#generations = generations;
  }

  /** @returns undefined if all members of the cluster were asked, and none has the material */
  async wrap(
    { material, generation }: ClusterRequest<'wrapKeyMaterial'>,
    call: HsmCall,
  ): Promise<ClusterResult<'wrapKeyMaterial'>> {
    const { pool, calls, memberSet, materials, clusterId, missing } = this.#tools;
    const reference = materials.referenceTo(material);
    const lacking = missing.membersLacking(material.materialId);
    const without = new Set<Member>();
    const wrapOn = async (member: Member): Promise<Uint8Array> => {
      const untilMs = memberSet.tryDeadlineMs(call);
      const target = { operation: 'wrap-key', materialId: material.materialId } as const;
      try {
        return await calls.once(member, target, call, () =>
          pool.wrapKey(member.index, reference, clusterId, generation, untilMs),
        );
      } catch (error) {
        if (await this.#lacks(member, material, call)) without.add(member);
        throw error;
      }
    };
    // Those that were seen to lack it come last: they may have got it since.
    const members = await this.#members(generation);
    const sources = [...members].sort((one, other) => Number(lacking?.has(one)) - Number(lacking?.has(other)));
    try {
      return await this.#first(sources, wrapOn);
    } catch (error) {
      if (memberSet.members.every((member) => without.has(member))) return undefined;
      throw error;
    }
  }

  async mac(
    { data, generation: wanted }: ClusterRequest<'makeBackupMac'>,
    call: HsmCall,
  ): Promise<ClusterResult<'makeBackupMac'>> {
    const { pool, calls, memberSet, clusterId } = this.#tools;
    await this.#generations.readNew(memberSet.members);
    const generation = wanted ?? this.#generations.inUse;
    if (generation === undefined) throw calls.noMember('No member has wrapping keys.');
    const mac = await this.#first(await this.#members(generation), (member) =>
      calls.once(member, { operation: 'backup-mac' }, call, async () =>
        pool.backupMac(member.index, clusterId, generation, data, memberSet.tryDeadlineMs(call)),
      ),
    );
    return { mac, generation };
  }

  async prove(
    { material, generation, blob }: ClusterRequest<'proveWrappedKeyMaterial'>,
    call: HsmCall,
  ): Promise<undefined> {
    const { pool, calls, memberSet, materials, clusterId } = this.#tools;
    const reference = materials.referenceTo(material);
    await this.#first(await this.#members(generation), (member) =>
      calls.once(member, { operation: 'prove-blob' }, call, async () =>
        pool.proveBlob(member.index, reference, clusterId, generation, blob, memberSet.tryDeadlineMs(call)),
      ),
    );
  }

  async rewrap(
    { material, generation, blob, toGeneration }: ClusterRequest<'rewrapKeyMaterial'>,
    call: HsmCall,
  ): Promise<Uint8Array> {
    const { pool, calls, memberSet, materials, clusterId } = this.#tools;
    const reference = materials.referenceTo(material);
    const members = await this.#members(generation);
    const withBoth = members.filter((member) => this.#generations.numbersOf(member).includes(toGeneration));
    return this.#first(withBoth, (member) =>
      calls.once(member, { operation: 'rewrap-blob' }, call, async () => {
        const untilMs = memberSet.tryDeadlineMs(call);
        return pool.rewrapBlob(member.index, reference, clusterId, generation, blob, toGeneration, untilMs);
      }),
    );
  }

  /** Whether the token is alive and has no such key: a failure to wrap may be that of the wrapping key instead. */
  async #lacks(
    member: Member,
    material: ClusterRequest<'wrapKeyMaterial'>['material'],
    call: HsmCall,
  ): Promise<boolean> {
    const { pool, memberSet, materials } = this.#tools;
    try {
      await pool.probe(member.index, materials.referenceTo(material), memberSet.tryDeadlineMs(call));
      return false;
    } catch (error) {
      return isNativeFailure(error) && error.kind === 'material-missing';
    }
  }

  /** The members that take work and have the generation's keys, each first in its turn. */
  async #members(generation: number): Promise<Member[]> {
    const { memberSet } = this.#tools;
    await this.#generations.readNew(memberSet.members);
    const members = memberSet.members.filter(
      (member) => member.isAdmitted && this.#generations.numbersOf(member).includes(generation),
    );
    const first = members.length === 0 ? 0 : this.#turn++ % members.length;
    return [...members.slice(first), ...members.slice(0, first)];
  }

  /** @throws the failure of the last member, or KEY_UNAVAILABLE if there is none */
  async #first<T>(members: readonly Member[], work: (member: Member) => Promise<T>): Promise<T> {
    let failure: unknown = this.#tools.calls.noMember('No member that takes work has the keys of this generation.');
    for (const member of members) {
      try {
        return await work(member);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }
}
