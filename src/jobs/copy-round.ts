import { type ActAudit, ActUnauditedError } from '../audit/act-audit.js';
import type { HsmCall } from '../calls/hsm-call.js';
import type { ClusterRequest, ClusterResult, HsmCluster } from '../clusters/hsm-cluster.js';
import type { HeldLease } from '../coordination/held-lease.js';
import { LeaseLostError } from '../coordination/leases.js';
import { HoldfastError } from '../errors.js';
import type { KeysCore } from '../keys/core.js';
import type { MaterialRecord } from '../keys/key.js';
import { materialReference } from '../keys/material.js';
import type { Pace } from './pace.js';

/** The dependencies of copying to the members of one cluster, under its lease. */
export interface CopyRoundTools {
  core: Pick<KeysCore, 'catalog' | 'clock' | 'onBackgroundError'>;
  audit: ActAudit;
  cluster: HsmCluster;
  held: Pick<HeldLease, 'confirm'>;
  pace: Pick<Pace, 'turn'>;
  signal: AbortSignal;
  /** How long one copy may take, in milliseconds. */
  callTimeoutMs: number;
  /** A new key may still be on its way to a member for so long, in milliseconds: until then it is no one else's work. */
  settledAfterMs: number;
  /** Where the keys come from. Left out: from another member. */
  source?: CopySource;
  /** A member that fails so often in a row is left alone until the next round. Default 10. */
  maxFailuresInARow?: number;
}

/** Where the keys of a round come from. */
export interface CopySource {
  /** The act in the audit log. */
  readonly operation: 'CopyKeyMaterials' | 'RestoreKeyMaterials';
  copy: (request: ClusterRequest<'copyKeyMaterial'>, call: HsmCall) => Promise<ClusterResult<'copyKeyMaterial'>>;
}

/** How many copies were made, and how many were tried and failed. */
export interface CopyCounts {
  copied: number;
  failed: number;
}

/** One record of the audit log is for so many materials. */
const batchSize = 100;
const defaultFailuresInARow = 10;
/**
 * How long a list of the member's keys is believed, in milliseconds: one search a key would take time that grows with
 * the keys. Only the holder of the lease copies what has settled, so nothing else adds to the list.
 */
const listedForMs = 30_000;
/** So many copies after each list also search for their key: a module may list only a part of its keys. */
export const searchesPerList = 4;

function anotherMember(cluster: HsmCluster): CopySource {
  return {
    operation: 'CopyKeyMaterials',
    copy: (request, call) => cluster.perform('copyKeyMaterial', request, call),
  };
}

/** A part of a batch was not copied: the record of the batch says so. */
class CopiesFailedError extends HoldfastError {
  constructor(failed: number, cause: unknown) {
    super('KMS_INTERNAL', `${failed} key materials were not copied.`, { cause, retryable: true });
  }
}

/**
 * Copies to one member the materials that it lacks. Only materials of committed keys are copied. Deletion may overtake a
 * copy, because no HSM checks a fence: so each is looked at again afterwards, and taken back if it came too late.
 */
export class CopyRound {
  readonly #tools: CopyRoundTools;
  readonly #memberName: string;
  readonly #source: CopySource;
  readonly #counts: CopyCounts = { copied: 0, failed: 0 };
  #failuresInARow = 0;
  #held: ReadonlySet<string> = new Set();
  #listedUntilMs = 0;
  #listedDate = new Date(0);
  #searchesLeft = 0;
  /** A search found a key that the list lacks. From then on every copy searches. */
  #listIsIncomplete = false;
  #isAbsent = false;

  constructor(tools: CopyRoundTools, memberName: string) {
    this.#tools = tools;
    this.#memberName = memberName;
    this.#source = tools.source ?? anotherMember(tools.cluster);
  }

  /**
   * @param onCopied called after each attempt
   * @throws ActUnauditedError, LeaseLostError: then nothing more may be done
   */
  async copy(materialIds: readonly string[], onCopied: () => void): Promise<CopyCounts> {
    for (let start = 0; start < materialIds.length && !this.#isOver; start += batchSize) {
      const batch = materialIds.slice(start, start + batchSize);
      const parameters = {
        cluster_id: this.#tools.cluster.clusterId,
        member: this.#memberName,
        material_ids: batch,
      };
      try {
        await this.#tools.audit.perform({ operation: this.#source.operation, resources: [], parameters }, () =>
          this.#copyBatch(batch, onCopied),
        );
      } catch (error) {
        if (!(error instanceof CopiesFailedError)) throw error;
      }
    }
    return this.#counts;
  }

  get #isOver(): boolean {
    const { signal, maxFailuresInARow = defaultFailuresInARow } = this.#tools;
    return signal.aborted || this.#isAbsent || this.#failuresInARow >= maxFailuresInARow;
  }

  async #copyBatch(batch: readonly string[], onCopied: () => void): Promise<void> {
    let failed = 0;
    let cause: unknown;
    for (const materialId of batch) {
      if (this.#isOver) break;
      await this.#tools.pace.turn(this.#tools.signal);
      try {
        if (await this.#copyOne(materialId)) this.#counts.copied += 1;
        this.#failuresInARow = 0;
      } catch (error) {
        if (error instanceof ActUnauditedError || error instanceof LeaseLostError) throw error;
        cause ??= error;
        failed += 1;
        this.#noteFailure(materialId, error);
      }
      onCopied();
    }
    if (failed > 0) throw new CopiesFailedError(failed, cause);
  }

  #noteFailure(materialId: string, error: unknown): void {
    this.#counts.failed += 1;
    this.#failuresInARow += 1;
    this.#isAbsent = error instanceof HoldfastError && error.code === 'KEY_UNAVAILABLE';
    const what = `copying key material ${materialId} to member ${this.#memberName}`;
    // The next ones fail for the same reason, most likely.
    if (this.#failuresInARow === 1) this.#tools.core.onBackgroundError(error, what);
  }

  /** @returns whether the member has it now. */
  async #copyOne(materialId: string): Promise<boolean> {
    const { core, cluster, held, callTimeoutMs } = this.#tools;
    const material = await core.catalog.findMaterial(materialId);
    if (material === undefined || !this.#isSettled(material)) return false;
    // One that was not settled when the keys were listed may have come since.
    const isListed = (await this.#listed()).has(materialId);
    const isUnlisted = !isListed && this.#isOld(material, this.#listedDate);
    const isAbsent = isUnlisted && this.#believesList();
    // It ends before the lease can: a process that was stopped in between must not copy what another one has.
    const call = { deadlineMs: core.clock.monotonicMs() + callTimeoutMs };
    await held.confirm();
    if (!(await core.catalog.isMaterialKept(materialId))) return false;
    if (isListed) {
      await cluster.perform(
        'proveKeyMaterial',
        { material: materialReference(material), memberName: this.#memberName },
        call,
      );
      return true;
    }
    const request = { material: materialReference(material), memberName: this.#memberName, isAbsent };
    const { copied } = await this.#source.copy(request, call);
    if (isUnlisted && !copied) this.#listIsIncomplete = true;
    if (await core.catalog.isMaterialKept(materialId)) return true;
    await this.#takeBack(materialId);
    return false;
  }

  #believesList(): boolean {
    if (this.#searchesLeft === 0) return !this.#listIsIncomplete;
    this.#searchesLeft -= 1;
    return false;
  }

  /** The ids of the materials that the member had a short while ago. @throws KEY_UNAVAILABLE if it is not connected */
  async #listed(): Promise<ReadonlySet<string>> {
    const { core, cluster, callTimeoutMs } = this.#tools;
    const startMs = core.clock.monotonicMs();
    if (startMs < this.#listedUntilMs) return this.#held;
    const startDate = core.clock.now();
    const memberName = this.#memberName;
    const [inventory] = await cluster.perform(
      'listMaterialIds',
      { memberName },
      { deadlineMs: startMs + callTimeoutMs },
    );
    if (inventory === undefined) {
      throw new HoldfastError('KEY_UNAVAILABLE', `Member ${memberName} is not connected.`, { retryable: true });
    }
    this.#held = new Set(inventory.materialIds);
    this.#listedUntilMs = startMs + listedForMs;
    this.#listedDate = startDate;
    this.#searchesLeft = searchesPerList;
    return this.#held;
  }

  #isSettled(material: MaterialRecord): boolean {
    const now = this.#tools.core.clock.now();
    // A clock that was set back must not keep a key from being repaired.
    return material.creationDate > now || this.#isOld(material, now);
  }

  /** Whether no creation can have been under way at this moment. */
  #isOld({ creationDate }: MaterialRecord, at: Date): boolean {
    return at.getTime() - creationDate.getTime() >= this.#tools.settledAfterMs;
  }

  /** The key's deletion may have passed this member before the copy was there. */
  #takeBack(materialId: string): Promise<void> {
    const { audit, cluster, core, callTimeoutMs } = this.#tools;
    const parameters = { cluster_id: cluster.clusterId, member: this.#memberName, material_ids: [materialId] };
    return audit.perform({ operation: 'DestroyReappearedKeyMaterial', resources: [], parameters }, async () => {
      const call = { deadlineMs: core.clock.monotonicMs() + callTimeoutMs };
      await cluster.perform('destroyKeyMaterial', { materialId, memberName: this.#memberName }, call);
    });
  }
}
