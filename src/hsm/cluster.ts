import type {
  ClusterDescription,
  ClusterOperation,
  ClusterRequest,
  ClusterResult,
  EncryptedData,
  HsmCluster,
  MemberInventory,
} from '../clusters/hsm-cluster.js';
import type { ExpectedMaterials } from '../clusters/expected-materials.js';
import type { HsmCall } from '../calls/hsm-call.js';
import { HoldfastError } from '../errors.js';
import type { Secret } from '../secret.js';
import { DataKeyGeneration, Decryption, Encryption, MacComputation, RandomDraw } from './data-operations.js';
import type { MemberPlace } from './events.js';
import { classify } from './failure.js';
import { materialIdsIn } from './inventory-ids.js';
import { KeyArchiving } from './key-archiving.js';
import { makeKeyOn, requireMechanisms } from './key-making.js';
import { MaterialCache, materialIdBytes, secretKeyClass } from './material-cache.js';
import type { Member, MemberTools } from './member.js';
import { MemberCalls } from './member-calls.js';
import { MissingCopies } from './missing-copies.js';
import type { NativeAddon, NativeFailure, NativePool } from './native.js';
import { Failover, type FailoverTools } from './failover.js';
import { MemberSet, type OperationTarget } from './member-set.js';
import { Replication } from './replication.js';
import { VendorReplication } from './vendor-replication.js';
import { MemberWitnesses, type WitnessTools } from './witnesses.js';

/** Shared by a cluster, its members and its failover; made anew for each connection, like its pool. */
export interface ClusterTools extends MemberTools, FailoverTools, WitnessTools {
  pool: NativePool;
  addon: Pick<NativeAddon, 'createMaterial'>;
  /** The catalog's side of a comparison; undefined: nothing is compared. */
  expectedMaterials?: ExpectedMaterials | undefined;
}

/** The parts of a cluster's description that its operations need. */
type ClusterKind = Pick<ClusterDescription, 'clusterId' | 'replication' | 'minimumMembers' | 'trust'>;

/** How many references to materials are kept; one takes about 600 bytes in the addon. */
const materialCapacity = 10_000;

/**
 * A connected cluster over the addon's session pool, with the operations of the port. `Failover` chooses the member of
 * each attempt.
 */
export class PooledCluster implements HsmCluster {
  readonly clusterId: string;
  readonly #tools: ClusterTools;
  readonly #missing: MissingCopies | undefined;
  readonly #memberSet: MemberSet;
  readonly #calls: MemberCalls;
  readonly #failover: Failover;
  readonly #materials: MaterialCache;
  readonly #witnesses: MemberWitnesses;
  /** Undefined without `replication: wrapped`. */
  readonly #replication: Replication | undefined;
  /** Undefined without `replication: wrapped`. */
  readonly #keyArchiving: KeyArchiving | undefined;
  /** Undefined without `replication: vendor`. */
  readonly #vendorReplication: VendorReplication | undefined;
  readonly #operations: {
    readonly [Name in ClusterOperation]: (request: ClusterRequest<Name>, call: HsmCall) => Promise<ClusterResult<Name>>;
  } = {
    generateKeyMaterial: async (request, call) => {
      requireMechanisms(this.members, request);
      return (this.#replication ?? this.#vendorReplication)?.generate(request, call) ?? this.#generate(request, call);
    },
    copyKeyMaterial: async (request, call) => this.#requiredReplication().copy(request, call),
    proveKeyMaterial: (request, call) => this.#proveKeyMaterial(request, call),
    wrapKeyMaterial: async (request, call) => this.#requiredArchiving().wrap(request, call),
    makeBackupMac: async (request, call) => this.#requiredArchiving().mac(request, call),
    proveWrappedKeyMaterial: async (request, call) => this.#requiredArchiving().prove(request, call),
    rewrapKeyMaterial: async (request, call) => this.#requiredArchiving().rewrap(request, call),
    resolveDuplicates: async (request, call) => this.#requiredReplication().resolveDuplicates(request, call),
    restoreKeyMaterial: async (request, call) => this.#requiredReplication().restore(request, call),
    destroyKeyMaterial: (request, call) => this.#destroyKeyMaterial(request, call),
    encrypt: (request, call) => this.#encrypt(request, call),
    decrypt: (request, call) => this.#decrypt(request, call),
    generateDataKey: (request, call) => this.#generateDataKey(request, call),
    mac: (request, call) =>
      this.#failover.run(new MacComputation(this.#materials.referenceTo(request.material), request), call),
    random: (request, call) => this.#random(request, call),
    listMaterialIds: (request, call) => this.#listMaterialIds(request, call),
    readWitnesses: (request, call) => this.#witnesses.read(request, call),
    writeWitness: (request, call) => this.#witnesses.write(request, call),
    listOpenMembers: () => Promise.resolve(this.members.filter(isOpen).map(({ place }) => place.memberName)),
  };

  constructor(
    { clusterId, replication, minimumMembers, trust }: ClusterKind,
    tools: ClusterTools,
    members: readonly Member[],
  ) {
    this.clusterId = clusterId;
    this.#tools = tools;
    const missing = replication === 'none' ? undefined : new MissingCopies();
    this.#missing = missing;
    this.#memberSet = new MemberSet(tools, members, missing);
    this.#calls = new MemberCalls(clusterId, tools, this.#memberSet);
    this.#failover = new Failover(clusterId, tools, this.#memberSet);
    this.#materials = new MaterialCache(tools.addon, materialCapacity);
    this.#witnesses = new MemberWitnesses(clusterId, tools, this.#memberSet, this.#calls);
    const parts = { calls: this.#calls, memberSet: this.#memberSet, materials: this.#materials };
    if (missing === undefined) return;
    const replicating = { ...tools, ...parts, clusterId, minimumMembers, missing };
    if (replication === 'wrapped') {
      this.#replication = new Replication({ ...replicating, trust });
      this.#keyArchiving = new KeyArchiving(replicating, this.#replication.generations);
    } else {
      this.#vendorReplication = new VendorReplication(replicating);
    }
  }

  /** All members of the configuration, open or not. */
  get members(): readonly Member[] {
    return this.#memberSet.members;
  }

  /** Takes up a member that was added to the configuration; it lacks all keys until its inventory shows them. */
  addMember(member: Member): void {
    this.#memberSet.add(member);
  }

  /** The generation of wrapping keys in use; undefined if there is none. */
  get generation(): number | undefined {
    return this.#replication?.generations.inUse;
  }

  /** The highest complete generation of wrapping keys on a member. */
  generationOf(member: Member): number | undefined {
    return this.#replication?.generations.numbersOf(member).at(-1);
  }

  /** @throws MemberOpenError if the wrapping keys of a member were made with another trust than the cluster has */
  async requireConfiguredTrust(): Promise<void> {
    await this.#replication?.requireConfiguredTrust();
  }

  /** How many materials of the catalog a member is known to lack. */
  missingOn(member: Member): number {
    return this.#missing?.lackedBy(member).length ?? 0;
  }

  perform<Name extends ClusterOperation>(
    operation: Name,
    request: ClusterRequest<Name>,
    call: HsmCall,
  ): Promise<ClusterResult<Name>> {
    return this.#operations[operation](request, call);
  }

  /**
   * Reads a member's witnesses and its inventory after a login, before it takes work. In a wrapped cluster the inventory
   * is compared with the catalog, so that no caller pays for a key that the member lacks. Rejects with a NativeFailure.
   * @throws CatalogRolledBackError
   */
  async memberLoggedIn(place: MemberPlace, index: number, deadlineMs: number): Promise<void> {
    await this.#witnesses.judge(place, index, deadlineMs);
    const member = this.#memberSet.memberAt(index);
    await this.#takeInventory(index, member, deadlineMs);
  }

  /** Without replication a key lives on one member alone. */
  async #generate(
    request: ClusterRequest<'generateKeyMaterial'>,
    call: HsmCall,
  ): Promise<ClusterResult<'generateKeyMaterial'>> {
    const member = this.members.find((candidate) => candidate.isAdmitted);
    if (member === undefined) throw this.#calls.noMember();
    const tools = { ...this.#tools, calls: this.#calls, memberSet: this.#memberSet, materials: this.#materials };
    const { canary } = await makeKeyOn(member, tools, request, false, call);
    return { canary, extractable: false, memberNames: [member.place.memberName] };
  }

  /** @throws UNSUPPORTED_OPERATION without `replication: wrapped` */
  #requiredReplication(): Replication {
    if (this.#replication === undefined) throw this.#keysStay();
    return this.#replication;
  }

  /** @throws UNSUPPORTED_OPERATION without `replication: wrapped` */
  #requiredArchiving(): KeyArchiving {
    if (this.#keyArchiving === undefined) throw this.#keysStay();
    return this.#keyArchiving;
  }

  #keysStay(): HoldfastError {
    const message = `The keys of cluster ${this.clusterId} cannot leave their token.`;
    return new HoldfastError('UNSUPPORTED_OPERATION', message);
  }

  async #proveKeyMaterial(
    { material, memberName }: ClusterRequest<'proveKeyMaterial'>,
    call: HsmCall,
  ): Promise<undefined> {
    const member = this.#memberSet.openMember(memberName);
    if (member === undefined) throw this.#calls.noMember(`Member ${memberName} is not connected.`);
    const reference = this.#materials.referenceTo(material);
    const target: OperationTarget = { operation: 'probe', materialId: material.materialId };
    const untilMs = this.#memberSet.tryDeadlineMs(call);
    await this.#calls.once(member, target, call, () => this.#tools.pool.probe(member.index, reference, untilMs));
  }

  async #destroyKeyMaterial(
    { materialId, memberName }: ClusterRequest<'destroyKeyMaterial'>,
    { deadlineMs }: HsmCall,
  ): Promise<undefined> {
    this.#materials.forget(materialId);
    if (memberName === undefined) this.#missing?.forgetMaterial(materialId);
    const id = materialIdBytes(materialId);
    const members = this.#membersNamed(memberName);
    const destroyOn = (member: Member): Promise<unknown> =>
      this.#calls.once(member, { operation: 'destroy-key', materialId }, undefined, () =>
        this.#tools.pool.destroyKey(member.index, secretKeyClass, id, this.#memberSet.tryDeadlineMs({ deadlineMs })),
      );
    if (this.#vendorReplication === undefined) await this.#onAll(members, destroyOn);
    else await this.#vendorReplication.destroy(members, destroyOn);
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

  /** Members that are not open are absent from the answer, and those that fail unless all do. */
  async #listMaterialIds(
    { memberName }: ClusterRequest<'listMaterialIds'>,
    { deadlineMs }: HsmCall,
  ): Promise<MemberInventory[]> {
    await this.#replication?.generations.readAgain(this.members);
    const members = this.#membersNamed(memberName).filter(isOpen);
    const failures: { place: MemberPlace; cause: unknown }[] = [];
    const inventories = await Promise.all(
      members.map((member) =>
        this.#inventoryOf(member, deadlineMs).catch((cause: unknown) => {
          failures.push({ place: member.place, cause });
          return [];
        }),
      ),
    );
    if (failures.length > 0 && failures.length === members.length) throw failures[0]?.cause;
    for (const { place, cause } of failures) this.#tools.events.inventoryFailed(place, cause);
    return inventories.flat();
  }

  async #inventoryOf(member: Member, deadlineMs: number): Promise<MemberInventory[]> {
    const target: OperationTarget = { operation: 'inventory' };
    const { value: materialIds } = await this.#calls.judged(member, target, undefined, async () => ({
      ...noLane,
      value: await this.#takeInventory(member.index, member, deadlineMs),
    }));
    const isCurrent = this.#replication?.generations.isCurrent(member) ?? false;
    const generations = this.#replication?.generations.numbersOf(member) ?? [];
    return [{ memberName: member.place.memberName, materialIds, isCurrent, generations }];
  }

  /** @returns the ids of what could be key material */
  async #takeInventory(index: number, member: Member | undefined, deadlineMs: number): Promise<string[]> {
    const expected = this.#missing === undefined ? [] : await this.#tools.expectedMaterials?.idsOf(this.clusterId);
    const materialIds = materialIdsIn(await this.#tools.pool.inventory(index, deadlineMs), this.clusterId);
    if (member !== undefined) this.#missing?.compare(member, expected ?? [], new Set(materialIds));
    return materialIds;
  }

  /** The one with the name, or all. */
  #membersNamed(memberName: string | undefined): readonly Member[] {
    return this.members.filter(({ place }) => memberName === undefined || place.memberName === memberName);
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

  /** Waits for all members before it fails, and fails if a member could not be asked. */
  async #onAll(members: readonly Member[], work: (member: Member) => Promise<unknown>): Promise<void> {
    const absent = members.filter((member) => !member.isOpen).map(({ place }) => place.memberName);
    const outcomes = await Promise.allSettled(members.filter(isOpen).map(work));
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    if (absent.length > 0) throw this.#calls.noMember(`Not connected: ${absent.join(', ')}.`);
  }
}

/** An inventory runs on no lane. */
const noLane = { epoch: undefined, startedMs: undefined, laneMs: undefined };

const isOpen = (member: Member): boolean => member.isOpen;
