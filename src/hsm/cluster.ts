import { HoldfastError } from '../errors.js';
import { canaryAdditionalData, canaryPlaintext } from '../keys/canary.js';
import type { Canary } from '../keys/key.js';
import type {
  EncryptionSpending,
  HsmCall,
  HsmCluster,
  MaterialReference,
  MemberInventory,
  Sealed,
} from '../keystores/hsm-cluster.js';
import { Secret } from '../secret.js';
import { callerError, isNativeFailure, judge, lostItsSession, type Verdict } from './failure.js';
import type { HedgedAnswer, Hedging, TryEnd } from './hedging.js';
import { MaterialCache, materialIdBytes } from './material-cache.js';
import type { Member, MemberTools } from './member.js';
import type {
  NativeAddon,
  NativeFailure,
  NativeInventoryEntry,
  NativeMaterialReference,
  NativeResult,
} from './native.js';
import { type HsmOperation, type TryListener, watchTry } from './tries.js';
import { tryShareMs } from './try-deadline.js';

export interface ClusterTools extends MemberTools {
  addon: Pick<NativeAddon, 'createMaterial'>;
  encryptionBudget: EncryptionSpending;
  /** Told of every try of every operation, where somebody counts them. */
  onTried?: TryListener | undefined;
  /** Undefined where it is off. */
  hedging?: Hedging | undefined;
}

/** Materials whose references are kept; one takes about 600 bytes in the addon. */
const materialCapacity = 10_000;

/** CK_OBJECT_CLASS CKO_SECRET_KEY, PKCS#11 v2.40 §4.9. */
const secretKeyClass = 4;

/** One try: on this member, or wherever the pool's turn is. */
type MemberOperation<T> = (member: number | null, deadlineMs: number) => Promise<NativeResult<T>>;

/** What an operation is about, for alerts and for the next probe. */
interface Subject {
  operation: HsmOperation;
  materialId?: string;
  reference?: NativeMaterialReference;
  /** The material under which each try encrypts, and spends one of its encryptions. */
  encryptsUnder?: string;
}

/**
 * A connected cluster over the addon's session pool. Operations that may be repeated are tried on another member while
 * the failure is a member's own and the deadline allows it; every failure is judged once, here.
 */
export class PooledCluster implements HsmCluster {
  readonly clusterId: string;
  readonly #tools: ClusterTools;
  /** All of the configuration, open or not. */
  readonly members: readonly Member[];
  readonly #materials: MaterialCache;

  constructor(clusterId: string, tools: ClusterTools, members: readonly Member[]) {
    this.clusterId = clusterId;
    this.#tools = tools;
    this.members = members;
    this.#materials = new MaterialCache(tools.addon, materialCapacity);
  }

  /** Never repeated: after a failure nobody knows whether the token made the key; the caller's intent accounts for it. */
  async generateKeyMaterial(materialId: string, label: string, call: HsmCall): Promise<Canary> {
    const { pool } = this.#tools;
    const id = materialIdBytes(materialId);
    // `replication: none` has one member, and a key lives on it alone.
    const member = this.members.find((candidate) => candidate.isAdmitted);
    if (member === undefined) throw noMember();
    const onMember = <T>(subject: Subject, work: (deadlineMs: number) => Promise<NativeResult<T>>): Promise<T> =>
      this.#once(member, subject, call, () => work(this.#attemptDeadlineMs(call.deadlineMs)));

    await onMember({ operation: 'generate-key' }, (until) => pool.generateKey(member.index, id, label, until));
    const canary = await onMember({ operation: 'seal-canary' }, (until) =>
      pool.sealCanary(member.index, id, label, canaryPlaintext(materialId), canaryAdditionalData(materialId), until),
    );
    const reference = this.#materials.referenceTo({ materialId, label, extractable: false, canary });
    await onMember({ operation: 'probe', materialId, reference }, (until) =>
      pool.probe(member.index, reference, until),
    );
    return canary;
  }

  async destroyKeyMaterial(materialId: string, deadlineMs: number): Promise<void> {
    this.#materials.forget(materialId);
    const id = materialIdBytes(materialId);
    await this.#onAll((member) =>
      this.#once(member, { operation: 'destroy-key', materialId }, undefined, () =>
        this.#tools.pool.destroyKey(member.index, id, this.#attemptDeadlineMs(deadlineMs)),
      ),
    );
  }

  encrypt(material: MaterialReference, plaintext: Secret, additionalData: Uint8Array, call: HsmCall): Promise<Sealed> {
    const reference = this.#materials.referenceTo(material);
    const { materialId } = material;
    const subject: Subject = { operation: 'encrypt', materialId, reference, encryptsUnder: materialId };
    return this.#repeatable(subject, call, (member, until) =>
      this.#tools.pool.encrypt(member, reference, plaintext.reveal(), additionalData, until),
    );
  }

  async decrypt(
    material: MaterialReference,
    sealed: Sealed,
    additionalData: Uint8Array,
    call: HsmCall,
  ): Promise<Secret> {
    const reference = this.#materials.referenceTo(material);
    const subject: Subject = { operation: 'decrypt', materialId: material.materialId, reference };
    const plaintext = await this.#repeatable(subject, call, (member, until) =>
      this.#tools.pool.decrypt(member, reference, sealed.nonce, sealed.ciphertext, additionalData, until),
    );
    return new Secret(plaintext);
  }

  async generateDataKey(
    material: MaterialReference,
    lengthBytes: number,
    additionalData: Uint8Array,
    call: HsmCall,
  ): Promise<{ plaintext: Secret; sealed: Sealed }> {
    const reference = this.#materials.referenceTo(material);
    const { materialId } = material;
    const subject: Subject = { operation: 'generate-data-key', materialId, reference, encryptsUnder: materialId };
    const { plaintext, nonce, ciphertext } = await this.#repeatable(subject, call, (member, until) =>
      this.#tools.pool.generateDataKey(member, reference, lengthBytes, additionalData, until),
    );
    return { plaintext: new Secret(plaintext), sealed: { nonce, ciphertext } };
  }

  async random(lengthBytes: number, call: HsmCall): Promise<Secret> {
    const bytes = await this.#repeatable({ operation: 'random' }, call, (member, until) =>
      this.#tools.pool.random(member, lengthBytes, until),
    );
    return new Secret(bytes);
  }

  /** Members that are not open are absent from the answer. */
  async listMaterialIds(deadlineMs: number): Promise<MemberInventory[]> {
    return Promise.all(
      this.members.filter(isOpen).map(async (member) => {
        const subject: Subject = { operation: 'inventory' };
        const { value: entries } = await this.#judged(member, subject, undefined, async () => ({
          epoch: undefined,
          value: await this.#tools.pool.inventory(member.index, deadlineMs),
        }));
        return { memberName: member.place.memberName, materialIds: secretKeyIds(entries) };
      }),
    );
  }

  /** Undefined where it could not be opened. */
  memberNamed(name: string): Member | undefined {
    return this.members.find(({ place }) => place.memberName === name);
  }

  /** A call hangs whose request had a shorter deadline than the HSM's patience, and has its answer already. */
  recordHung(failure: NativeFailure): void {
    this.#memberAt(failure.member)?.recordFailure(failure, judge(failure, this.#tools.returnValues));
  }

  /** Ends the timers of its breakers. */
  stop(): void {
    for (const member of this.members) member.stop();
  }

  /** The deadline of one try. @throws DEPENDENCY_TIMEOUT when the request's own is over. */
  #attemptDeadlineMs(deadlineMs: number): number {
    const nowMs = this.#tools.clock.monotonicMs();
    if (deadlineMs <= nowMs)
      throw new HoldfastError('DEPENDENCY_TIMEOUT', 'The request came to its deadline. Try again.');
    return Math.min(deadlineMs, nowMs + this.#tools.operationTimeoutMs);
  }

  /**
   * The deadline of one try: its share of what is left where `candidates` members could answer. So a member that hangs
   * costs its callers time and no answer.
   */
  #tryDeadlineMs(deadlineMs: number, candidates: number): number {
    const untilMs = this.#attemptDeadlineMs(deadlineMs);
    const nowMs = this.#tools.clock.monotonicMs();
    return Math.min(untilMs, nowMs + tryShareMs(deadlineMs - nowMs, candidates));
  }

  /**
   * First wherever the pool's turn is, then on each admitted member that has not failed yet. One that only had lost a
   * session may be asked once more.
   */
  async #repeatable<T extends HedgedAnswer>(
    subject: Subject,
    call: HsmCall,
    operation: MemberOperation<T>,
  ): Promise<T> {
    const { encryptionBudget, hedging } = this.#tools;
    const { encryptsUnder } = subject;
    const failed = new Set<Member | undefined>();
    const onNewSession = new Set<Member | undefined>();
    call.cancellation?.throwIfCancelled();
    const hedged = hedging === undefined ? undefined : await this.#hedged(hedging, subject, call, operation, failed);
    if (hedged !== undefined) return hedged.value;
    let target = failed.size === 0 ? undefined : this.#untried(failed)[0];
    let tries = failed.size;
    let waited = false;
    for (;;) {
      call.cancellation?.throwIfCancelled();
      // Retries too: nobody knows how far the try that failed came (design invariant 9).
      if (encryptsUnder !== undefined && !encryptionBudget.trySpend(encryptsUnder))
        await encryptionBudget.spend(encryptsUnder);
      const untilMs = this.#tryDeadlineMs(call.deadlineMs, waited ? 1 : this.#untried(failed).length);
      const watched = watchTry(this.#tools, this.clusterId, subject.operation, call, tries);
      try {
        const posted = operation(target?.index ?? null, untilMs);
        this.#cancelWith(call);
        const result = await posted;
        const member = this.#memberAt(result.member);
        member?.recordSuccess(result.epoch, subject.reference);
        watched?.succeeded(member?.place, result.epoch);
        return result.value;
      } catch (error) {
        const { failure, verdict } = this.#judge(error, subject);
        const member = this.#memberAt(failure.member);
        watched?.failed(member?.place, failure, verdict);
        tries += 1;
        const inTime = this.#tools.clock.monotonicMs() < call.deadlineMs;
        if (inTime && failure.kind === 'queue-deadline' && untilMs < call.deadlineMs) {
          // It waited for all of its first half: whoever comes free first has the other one.
          target = undefined;
          waited = true;
          continue;
        }
        // A refusal before any member was reached names none: then it is the one that was asked.
        const asked = member ?? target;
        (lostItsSession(failure) && !onNewSession.has(asked) ? onNewSession : failed).add(asked);
        const another = this.#untried(failed)[0];
        if (!verdict.retryElsewhere || another === undefined || !inTime) throw callerError(verdict, failure);
        target = another;
      }
    }
  }

  /**
   * The first try, and one on a second member where that is late. @returns undefined where there is no second member, or
   * another than those in `failed` may do better.
   */
  async #hedged<T extends HedgedAnswer>(
    hedging: Hedging,
    subject: Subject,
    call: HsmCall,
    operation: MemberOperation<T>,
    failed: Set<Member | undefined>,
  ): Promise<{ value: T } | undefined> {
    const { encryptionBudget, clock } = this.#tools;
    const { encryptsUnder } = subject;
    const members = this.#untried(failed);
    if (members.length < 2) return undefined;
    if (encryptsUnder !== undefined && !encryptionBudget.trySpend(encryptsUnder))
      await encryptionBudget.spend(encryptsUnder);
    const firstUntilMs = this.#tryDeadlineMs(call.deadlineMs, members.length);
    const end = await hedging.ask<T>({
      operation: subject.operation,
      members,
      ask: (member, tryNumber) => {
        // The second one too leaves its share to those that neither asked.
        const untilMs = tryNumber === 0 ? firstUntilMs : this.#tryDeadlineMs(call.deadlineMs, members.length - 1);
        return this.#attempt(member, subject, call, tryNumber, () => {
          const posted = operation(member.index, untilMs);
          this.#cancelWith(call);
          return posted;
        });
      },
      mayAskAgain: () =>
        clock.monotonicMs() < call.deadlineMs &&
        call.cancellation?.isCancelled !== true &&
        (encryptsUnder === undefined || encryptionBudget.trySpend(encryptsUnder)),
    });
    if ('value' in end) return end;
    const { failure, verdict } = end.failures.at(-1) ?? end.failures[0];
    const inTime = clock.monotonicMs() < call.deadlineMs;
    // It waited for a lane of that member: whoever comes free first has what is left of the time.
    if (inTime && failure.kind === 'queue-deadline') return undefined;
    for (const { member, failure: its } of end.failures) if (!lostItsSession(its)) failed.add(member);
    if (!verdict.retryElsewhere || !inTime || this.#untried(failed).length === 0) throw callerError(verdict, failure);
    return undefined;
  }

  /** One try on this member, whose end is judged and counted. */
  async #attempt<T>(
    member: Member,
    subject: Subject,
    call: HsmCall,
    triesBefore: number,
    operation: () => Promise<NativeResult<T>>,
  ): Promise<TryEnd<T>> {
    const watched = watchTry(this.#tools, this.clusterId, subject.operation, call, triesBefore);
    try {
      const result = await operation();
      member.recordSuccess(result.epoch, subject.reference);
      watched?.succeeded(member.place, result.epoch);
      return { value: result.value };
    } catch (error) {
      const { failure, verdict } = this.#judge(error, subject, member);
      watched?.failed(member.place, failure, verdict);
      return { failed: { failure, verdict, member } };
    }
  }

  /** Before anything else is posted: the addon knows the operation by its being the last one. */
  #cancelWith({ cancellation }: HsmCall): void {
    if (cancellation === undefined) return;
    const { pool } = this.#tools;
    const ticket = pool.lastTicket();
    cancellation.onCancel(() => {
      pool.cancel(ticket);
    });
  }

  #untried(failed: ReadonlySet<Member | undefined>): Member[] {
    return this.members.filter((member) => member.isAdmitted && !failed.has(member));
  }

  async #once<T>(
    member: Member,
    subject: Subject,
    call: HsmCall | undefined,
    operation: () => Promise<NativeResult<T>>,
  ): Promise<T> {
    const result = await this.#judged(member, subject, call, operation);
    member.recordSuccess(result.epoch, subject.reference);
    return result.value;
  }

  async #judged<T extends { epoch: number | undefined }>(
    member: Member,
    subject: Subject,
    call: HsmCall | undefined,
    operation: () => Promise<T>,
  ): Promise<T> {
    const watched = watchTry(this.#tools, this.clusterId, subject.operation, call, 0);
    try {
      const result = await operation();
      watched?.succeeded(member.place, result.epoch);
      return result;
    } catch (error) {
      const { failure, verdict } = this.#judge(error, subject, member);
      watched?.failed(member.place, failure, verdict);
      throw callerError(verdict, failure);
    }
  }

  /** Judges a failure, tells the member's breaker and whoever is on call. Throws what is no failure of the addon. */
  #judge(error: unknown, subject: Subject, asked?: Member): { failure: NativeFailure; verdict: Verdict } {
    if (!isNativeFailure(error)) throw error;
    const verdict = judge(error, this.#tools.returnValues);
    const member = this.#memberAt(error.member) ?? asked;
    member?.recordFailure(error, verdict);
    if (member !== undefined && verdict.alert !== null && subject.materialId !== undefined) {
      this.#tools.events.materialAlert(member.place, subject.materialId, verdict.alert);
    }
    return { failure: error, verdict };
  }

  #memberAt(index: number): Member | undefined {
    return this.members.find((member) => member.index === index);
  }

  /** Waits for all members before it fails, and fails where a member was not there to be asked. */
  async #onAll(work: (member: Member) => Promise<unknown>): Promise<void> {
    const absent = this.members.filter((member) => !member.isOpen).map(({ place }) => place.memberName);
    const outcomes = await Promise.allSettled(this.members.filter(isOpen).map(work));
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    if (absent.length > 0) throw noMember(`Not connected: ${absent.join(', ')}.`);
  }
}

const isOpen = (member: Member): boolean => member.isOpen;

function secretKeyIds(entries: readonly NativeInventoryEntry[]): string[] {
  return entries
    .filter((entry) => entry.objectClass === secretKeyClass)
    .map(({ id }) => Buffer.from(id).toString('hex'));
}

function noMember(cause?: string): HoldfastError {
  return new HoldfastError('KEY_UNAVAILABLE', 'No HSM of the cluster takes work now. Try again.', { cause });
}
