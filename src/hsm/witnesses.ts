/** The witnesses of the catalog on the members of a connected cluster. */
import type { HsmCall } from '../calls/hsm-call.js';
import type { ClusterRequest } from '../clusters/hsm-cluster.js';
import type { Witness } from '../clusters/witness.js';
import type { MemberPlace } from './events.js';
import { MemberOpenError } from './member-open-error.js';
import type { Member } from './member.js';
import type { MemberCalls } from './member-calls.js';
import type { MemberSet } from './member-set.js';
import type { NativePool } from './native.js';
import type { NativeWitness } from './native-witness.js';

/** The pool, and who judges the witnesses that are found. */
export interface WitnessTools {
  pool: Pick<NativePool, 'witnesses' | 'writeWitness'>;
  /**
   * Called with the witnesses of a member that has logged in. @returns why it must not be used with this catalog;
   * undefined if it may be. Left out: they are not read.
   */
  judgeWitnesses?: ((place: MemberPlace, witnesses: readonly Witness[]) => Promise<string | undefined>) | undefined;
}

/** The catalog does not follow the witness of a member: it was rolled back. Only an operator can change that. */
export class CatalogRolledBackError extends MemberOpenError {
  constructor(message: string) {
    super('INTERNAL_ERROR', false, message);
  }
}

/** Reads and writes the witnesses of a cluster's members. */
export class MemberWitnesses {
  readonly #clusterId: string;
  readonly #tools: WitnessTools;
  readonly #memberSet: MemberSet;
  readonly #calls: MemberCalls;

  constructor(clusterId: string, tools: WitnessTools, memberSet: MemberSet, calls: MemberCalls) {
    this.#clusterId = clusterId;
    this.#tools = tools;
    this.#memberSet = memberSet;
    this.#calls = calls;
  }

  /**
   * Has the witnesses of a member judged before it takes work. Rejects with a NativeFailure if they cannot be read.
   * @throws CatalogRolledBackError
   */
  async judge(place: MemberPlace, index: number, deadlineMs: number): Promise<void> {
    const { judgeWitnesses, pool } = this.#tools;
    if (judgeWitnesses === undefined) return;
    const { value } = await pool.witnesses(index, this.#clusterId, deadlineMs);
    const problem = await judgeWitnesses(place, value.map(witnessOf));
    if (problem !== undefined) throw new CatalogRolledBackError(problem);
  }

  /** As `ClusterOperations.readWitnesses`. */
  async read({ memberName }: ClusterRequest<'readWitnesses'>, call: HsmCall): Promise<Witness[]> {
    const member = this.#open(memberName);
    const untilMs = this.#memberSet.tryDeadlineMs(call);
    const found = await this.#calls.once(member, { operation: 'witnesses' }, call, () =>
      this.#tools.pool.witnesses(member.index, this.#clusterId, untilMs),
    );
    return found.map(witnessOf);
  }

  /** As `ClusterOperations.writeWitness`. */
  async write({ memberName, witness }: ClusterRequest<'writeWitness'>, call: HsmCall): Promise<undefined> {
    const member = this.#open(memberName);
    const untilMs = this.#memberSet.tryDeadlineMs(call);
    await this.#calls.once(member, { operation: 'write-witness' }, call, () =>
      this.#tools.pool.writeWitness(member.index, this.#clusterId, nativeWitness(witness), untilMs),
    );
    return undefined;
  }

  #open(memberName: string): Member {
    const member = this.#memberSet.openMember(memberName);
    if (member === undefined) throw this.#calls.noMember(`Member ${memberName} is not connected.`);
    return member;
  }
}

function witnessOf({ incarnation, epoch, writtenMs, deployment }: NativeWitness): Witness {
  const incarnationId = Buffer.from(incarnation).toString('hex');
  return { incarnationId, epoch, epochDate: new Date(writtenMs), deployment };
}

function nativeWitness({ incarnationId, epoch, epochDate, deployment }: Witness): NativeWitness {
  const incarnation = Uint8Array.from(Buffer.from(incarnationId, 'hex'));
  return { incarnation, epoch, writtenMs: epochDate.getTime(), deployment };
}
