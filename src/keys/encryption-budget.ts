import { LRUCache } from 'lru-cache';
import { HoldfastError } from '../errors.js';
import type { KeyCatalog } from './catalog.js';
import type { BackgroundErrorListener } from './core.js';
import type { EncryptionSpending } from '../clusters/hsm-cluster.js';

/** The maximum number of unspent encryptions under one material that a process holds; a crash loses as many. */
const blockSize = 65_536;

/**
 * The first reservation for a material that displaced another one: it may be displaced itself before it has used much,
 * and its rest is then lost. The size doubles with each reservation, up to a block.
 */
const crowdedBlockSize = 512;

/**
 * The maximum number of encryptions under one material, by all processes together. AES-GCM with random 96-bit nonces
 * allows 2^32 under one key (NIST SP 800-38D §8.3). One block is kept back for the canary, which is encrypted before the
 * catalog has the material.
 */
export const encryptionLimit = 2 ** 32 - blockSize;

/** When no more than this part of a block is left, the next reservation begins, so no caller waits for it. */
const reserveAheadShare = 4;

/** How many materials keep a block; the rest of a dropped block is lost. */
const defaultCapacity = 10_000;

/**
 * Called at each reservation from the warning threshold on.
 * @param used the reservations of all processes: an upper bound of the encryptions made. At or above `limit`, the
 * material encrypts no more.
 */
export type EncryptionWarningListener = (materialId: string, used: number, limit: number) => void;

/** One material's use of `limit`, by all processes together: an upper bound, since reservations count. */
export interface EncryptionUse {
  materialId: string;
  used: number;
  limit: number;
}

/** The dependencies and bounds of an `EncryptionBudget`. `capacity` counts materials. */
export interface EncryptionBudgetTools {
  catalog: Pick<KeyCatalog, 'reserveEncryptions'>;
  onWarning: EncryptionWarningListener;
  /** A reservation warns if it brings a material to this many encryptions or more. */
  warningThreshold: number;
  /** Called when a reservation ahead fails: no caller waits for it. */
  onBackgroundError: BackgroundErrorListener;
  /** Default 10,000. */
  capacity?: number;
}

/**
 * Counts how often each key material may still encrypt (invariant 9). Every encryption handed out was reserved in the
 * catalog before, in blocks. A crash, or a long pause in a material's use, loses at most a block, and nothing is ever
 * handed out twice.
 */
export class EncryptionBudget implements EncryptionSpending {
  readonly #tools: EncryptionBudgetTools;
  /** The blocks of the materials, by material id. */
  readonly #blocks: LRUCache<string, MaterialBlock>;
  #mostUsed: EncryptionUse | undefined;

  constructor(tools: EncryptionBudgetTools) {
    this.#tools = tools;
    this.#blocks = new LRUCache({ max: tools.capacity ?? defaultCapacity });
  }

  trySpend(materialId: string): boolean {
    return this.#blockOf(materialId).take();
  }

  /** Waiting callers keep their block even if it is dropped meanwhile: its encryptions are reserved for no other. */
  async spend(materialId: string): Promise<void> {
    const block = this.#blockOf(materialId);
    while (!block.take()) await block.reserve();
  }

  /** The most used of the materials that this process has encrypted under; for a metric. */
  get mostUsed(): EncryptionUse | undefined {
    return this.#mostUsed;
  }

  /** How many of the materials that this process has recently encrypted under are beyond the warning threshold. */
  warnedMaterials(): number {
    const { warningThreshold } = this.#tools;
    return [...this.#blocks.values()].filter((block) => block.reserved >= warningThreshold).length;
  }

  #blockOf(materialId: string): MaterialBlock {
    const known = this.#blocks.get(materialId);
    if (known !== undefined) return known;
    const block = this.#newBlock(materialId);
    this.#blocks.set(materialId, block);
    return block;
  }

  #newBlock(materialId: string): MaterialBlock {
    const size = this.#blocks.size < this.#blocks.max ? blockSize : crowdedBlockSize;
    return new MaterialBlock(this.#tools, materialId, size, (used) => this.#note(materialId, used));
  }

  #note(materialId: string, used: number): void {
    if (used < (this.#mostUsed?.used ?? 0)) return;
    this.#mostUsed = { materialId, used, limit: encryptionLimit };
  }
}

/** The reserved and unspent encryptions of one material. */
class MaterialBlock {
  readonly #tools: EncryptionBudgetTools;
  readonly #materialId: string;
  readonly #onReserved: (used: number) => void;
  #unspent = 0;
  #reserved = 0;
  /** The size of the next reservation. */
  #size: number;
  #reserveAheadAt = 0;
  #isExhausted = false;
  #underWay: Promise<void> | undefined;

  constructor(tools: EncryptionBudgetTools, materialId: string, size: number, onReserved: (used: number) => void) {
    this.#tools = tools;
    this.#materialId = materialId;
    this.#size = size;
    this.#onReserved = onReserved;
  }

  /** How many all processes had reserved at this process's last reservation. */
  get reserved(): number {
    return this.#reserved;
  }

  /** @returns whether one was left. */
  take(): boolean {
    if (this.#unspent === 0) return false;
    this.#unspent -= 1;
    if (this.#unspent > 0 && this.#unspent <= this.#reserveAheadAt) this.#reserveAhead();
    return true;
  }

  /**
   * One reservation at a time; callers that arrive meanwhile wait for the same one. @throws KMS_INVALID_STATE when the
   * budget is spent.
   */
  reserve(): Promise<void> {
    if (this.#isExhausted) return Promise.reject(exhausted());
    this.#underWay ??= this.#fillUp().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  #reserveAhead(): void {
    if (this.#underWay !== undefined || this.#isExhausted) return;
    this.reserve().catch((error: unknown) => {
      // The next attempt waits until half of the rest is used. Otherwise every encryption would cause one.
      this.#reserveAheadAt = Math.floor(this.#unspent / 2);
      this.#tools.onBackgroundError(error, 'reserving encryptions ahead');
    });
  }

  /** Fills up to a block and no further: a crash never loses more. */
  async #fillUp(): Promise<void> {
    const size = this.#size;
    const count = size - this.#unspent;
    const total = await this.#tools.catalog.reserveEncryptions(this.#materialId, count);
    const allowed = Math.min(count, Math.max(0, encryptionLimit - (total - count)));
    this.#unspent += allowed;
    this.#reserveAheadAt = size / reserveAheadShare;
    this.#size = Math.min(blockSize, 2 * size);
    // The refusal is remembered: later requests cost the catalog nothing.
    this.#isExhausted = total >= encryptionLimit;
    this.#reserved = total;
    this.#onReserved(total);
    if (total >= this.#tools.warningThreshold) this.#tools.onWarning(this.#materialId, total, encryptionLimit);
  }
}

function exhausted(): HoldfastError {
  return new HoldfastError(
    'KMS_INVALID_STATE',
    'The key has made as many encryptions as are safe under one key material (2^32). It still decrypts. Create a ' +
      'new key, point aliases to it, and encrypt anew with ReEncrypt.',
    { retryable: false },
  );
}
