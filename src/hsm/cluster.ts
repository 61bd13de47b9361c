import { HoldfastError } from '../errors.js';
import { canaryAdditionalData, canaryPlaintext } from '../keys/canary.js';
import type { Canary } from '../clusters/hsm-cluster.js';
import type {
  ClusterOperation,
  ClusterRequest,
  ClusterResult,
  EncryptedData,
  HsmCluster,
  MemberInventory,
} from '../clusters/hsm-cluster.js';
import type { HsmCall } from '../calls/hsm-call.js';
import type { Secret } from '../secret.js';
import { DataKeyGeneration, Decryption, Encryption, RandomDraw } from './data-operations.js';
import { advised, classify, unreachable } from './failure.js';
import { MaterialCache, materialIdBytes, secretKeyClass } from './material-cache.js';
import type { Member, MemberTools } from './member.js';
import type { NativeAddon, NativeFailure, NativeInventoryEntry, NativePool, NativeResult } from './native.js';
import { retryOptions } from './outlook.js';
import { Failover, type FailoverTools } from './failover.js';
import { MemberSet, type OperationTarget } from './member-set.js';
import { isUse, type LaneResult, watchAttempt } from './attempts.js';

/** Shared by a cluster, its members and its failover; made anew for each connection, like its pool. */
export interface ClusterTools extends MemberTools, FailoverTools {
  pool: NativePool;
  addon: Pick<NativeAddon, 'createMaterial'>;
}

/** How many references to materials are kept; one takes about 600 bytes in the addon. */
const materialCapacity = 10_000;

/**
 * A connected cluster over the addon's session pool, with the operations of the port. `Failover` chooses the member of
 * each attempt.
 */
export class PooledCluster implements HsmCluster {
  readonly clusterId: string;
  readonly #tools: ClusterTools;
  readonly #memberSet: MemberSet;
  readonly #failover: Failover;
  readonly #materials: MaterialCache;
  readonly #operations: {
    readonly [Name in ClusterOperation]: (request: ClusterRequest<Name>, call: HsmCall) => Promise<ClusterResult<Name>>;
  } = {
    generateKeyMaterial: (request, call) => this.#generateKeyMaterial(request, call),
    destroyKeyMaterial: (request, call) => this.#destroyKeyMaterial(request, call),
    encrypt: (request, call) => this.#encrypt(request, call),
    decrypt: (request, call) => this.#decrypt(request, call),
    generateDataKey: (request, call) => this.#generateDataKey(request, call),
    random: (request, call) => this.#random(request, call),
    listMaterialIds: (_request, call) => this.#listMaterialIds(call),
  };

  constructor(clusterId: string, tools: ClusterTools, members: readonly Member[]) {
    this.clusterId = clusterId;
    this.#tools = tools;
    this.#memberSet = new MemberSet(tools, members);
    this.#failover = new Failover(clusterId, tools, this.#memberSet);
    this.#materials = new MaterialCache(tools.addon, materialCapacity);
  }

  /** All members of the configuration, open or not. */
  get members(): readonly Member[] {
    return this.#memberSet.members;
  }

  perform<Name extends ClusterOperation>(
    operation: Name,
    request: ClusterRequest<Name>,
    call: HsmCall,
  ): Promise<ClusterResult<Name>> {
    return this.#operations[operation](request, call);
  }

  /**
   * Never retried: after a failure it is unknown whether the token made the key; the caller's intent accounts for it.
   */
  async #generateKeyMaterial(
    { materialId, label }: ClusterRequest<'generateKeyMaterial'>,
    call: HsmCall,
  ): Promise<Canary> {
    const { pool } = this.#tools;
    const id = materialIdBytes(materialId);
    // `replication: none` has one member, and a key lives on it alone.
    const member = this.members.find((candidate) => candidate.isAdmitted);
    if (member === undefined) throw this.#noMember();
    const [plaintext, additionalData] = [canaryPlaintext(materialId), canaryAdditionalData(materialId)];
    const { value: canary, epoch } = await this.#judged(member, { operation: 'generate-key', materialId }, call, () =>
      pool.generateKey(member.index, id, label, plaintext, additionalData, false, this.#memberSet.tryDeadlineMs(call)),
    );
    member.recordSuccess(epoch, this.#materials.referenceTo({ materialId, label, extractable: false, canary }));
    return canary;
  }

  async #destroyKeyMaterial(
    { materialId }: ClusterRequest<'destroyKeyMaterial'>,
    { deadlineMs }: HsmCall,
  ): Promise<undefined> {
    this.#materials.forget(materialId);
    const id = materialIdBytes(materialId);
    await this.#onAll((member) =>
      this.#once(member, { operation: 'destroy-key', materialId }, undefined, () =>
        this.#tools.pool.destroyKey(member.index, secretKeyClass, id, this.#memberSet.tryDeadlineMs({ deadlineMs })),
      ),
    );
  }

  #encrypt(request: ClusterRequest<'encrypt'>, call: HsmCall): Promise<EncryptedData> {
    return this.#failover.run(new Encryption(this.#materials.referenceTo(request.material), request), call);
  }

  #decrypt(request: ClusterRequest<'decrypt'>, call: HsmCall): Promise<Secret> {
    return this.#failover.run(new Decryption(this.#materials.referenceTo(request.material), request), call);
  }

  #generateDataKey(
    request: ClusterRequest<'generateDataKey'>,
    call: HsmCall,
  ): Promise<ClusterResult<'generateDataKey'>> {
    return this.#failover.run(new DataKeyGeneration(this.#materials.referenceTo(request.material), request), call);
  }

  #random({ lengthBytes }: ClusterRequest<'random'>, call: HsmCall): Promise<Secret> {
    return this.#failover.run(new RandomDraw(lengthBytes), call);
  }

  /** Members that are not open are absent from the answer. */
  async #listMaterialIds({ deadlineMs }: HsmCall): Promise<MemberInventory[]> {
    return Promise.all(
      this.members.filter(isOpen).map(async (member) => {
        const target: OperationTarget = { operation: 'inventory' };
        const { value: entries } = await this.#judged(member, target, undefined, async () => ({
          ...noLane,
          value: await this.#tools.pool.inventory(member.index, deadlineMs),
        }));
        return { memberName: member.place.memberName, materialIds: secretKeyIds(entries) };
      }),
    );
  }

  /** Undefined if it could not be opened. */
  memberNamed(name: string): Member | undefined {
    return this.members.find(({ place }) => place.memberName === name);
  }

  /**
   * Records a call that hangs although its request is answered: the caller's deadline came before the operation
   * timeout.
   */
  recordHung(failure: NativeFailure): void {
    const member = this.#memberSet.memberAt(failure.member);
    const classification = classify(failure, this.#tools.returnValues);
    if (failure.isOfUse) member?.recordFailure(failure, classification);
    else member?.noteFailure(failure, classification);
  }

  /** Ends the timers of its breakers. */
  stop(): void {
    for (const member of this.members) member.stop();
  }

  async #once<T>(
    member: Member,
    target: OperationTarget,
    call: HsmCall | undefined,
    operation: () => Promise<NativeResult<T>>,
  ): Promise<T> {
    const result = await this.#judged(member, target, call, operation);
    if (isUse(target.operation)) member.recordSuccess(result.epoch, target.reference);
    return result.value;
  }

  async #judged<T extends LaneResult>(
    member: Member,
    target: OperationTarget,
    call: HsmCall | undefined,
    operation: () => Promise<T>,
  ): Promise<T> {
    const watched = watchAttempt(this.#tools, this.clusterId, target.operation, call, 0);
    try {
      const result = await operation();
      watched?.succeeded(member.place, result);
      return result;
    } catch (error) {
      const judged = this.#memberSet.judge(error, target);
      watched?.failed(member.place, judged.failure, judged.classification);
      throw this.#memberSet.callerError(judged, call !== undefined && this.#memberSet.endedByCaller(call));
    }
  }

  /** Waits for all members before it fails, and fails if a member could not be asked. */
  async #onAll(work: (member: Member) => Promise<unknown>): Promise<void> {
    const absent = this.members.filter((member) => !member.isOpen).map(({ place }) => place.memberName);
    const outcomes = await Promise.allSettled(this.members.filter(isOpen).map(work));
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    if (absent.length > 0) throw this.#noMember(`Not connected: ${absent.join(', ')}.`);
  }

  #noMember(cause?: string): HoldfastError {
    const retry = retryOptions(this.#memberSet.outlook());
    const message = advised(unreachable.message, retry);
    return new HoldfastError(unreachable.code, message, { cause, ...retry });
  }
}

/** An inventory runs on no lane. */
const noLane = { epoch: undefined, startedMs: undefined, laneMs: undefined };

const isOpen = (member: Member): boolean => member.isOpen;

/**
 * Leaves out the object that SoftHSM keeps of a process that was killed while it made a key: it has neither id nor
 * label, and contains no key. No catalog can know it, and an operator who is alerted about it would search for another
 * catalog.
 */
function secretKeyIds(entries: readonly NativeInventoryEntry[]): string[] {
  return entries
    .filter(({ objectClass, id, label }) => objectClass === secretKeyClass && (id.byteLength > 0 || label !== ''))
    .map(({ id }) => Buffer.from(id).toString('hex'));
}
