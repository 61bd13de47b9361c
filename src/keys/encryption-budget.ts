import { HoldfastError } from '../errors.js';
import type { KeyCatalog } from './catalog.js';
import type { BackgroundErrorListener } from './core.js';
import type { EncryptionSpending } from '../clusters/hsm-cluster.js';

/** Most unspent encryptions under one material that a process holds: what a crash loses. */
const blockSize = 65_536;

/**
 * What is reserved at first for a material that another one had to go for: it may have to go itself before it has used
 * much, and what it leaves is lost. It doubles with each reservation, up to a block.
 */
const crowdedBlockSize = 512;

/**
 * Encryptions under one material, of all processes together. AES-GCM with random 96-bit nonces allows 2^32 under one
 * key (NIST SP 800-38D §8.3). One block stays back: for the canary, which is encrypted before the catalog has the
 * material.
 */
export const encryptionLimit = 2 ** 32 - blockSize;

/** From here on every reservation warns, where configuration says nothing. */
export const encryptionWarningThreshold = 2 ** 31;

/** When this part of a block is left, the next reservation begins, so that nobody has to wait for it. */
const reserveAheadShare = 4;

/** Materials whose blocks are kept; a block that is dropped is lost. */
const defaultCapacity = 10_000;

/**
 * Told with each reservation from the warning threshold on.
 * @param used what all processes have reserved: an upper bound of what was encrypted. At or above `limit`, the material
 * encrypts no more.
 */
export type EncryptionWarningListener = (materialId: string, used: number, limit: number) => void;

/** What one material has used of `limit`, by all processes together: an upper bound, since reservations count. */
export interface EncryptionUse {
  materialId: string;
  used: number;
  limit: number;
}

/** What reserves encryptions, and who is told of warnings and failures. `capacity` counts materials. */
export interface EncryptionBudgetTools {
  catalog: Pick<KeyCatalog, 'reserveEncryptions'>;
  onWarning: EncryptionWarningListener;
  /** Default `encryptionWarningThreshold`. */
  warningThreshold?: number | undefined;
  /** For a reservation ahead that failed: no caller waits for it. */
  onBackgroundError: BackgroundErrorListener;
  /** Default 10,000. */
  capacity?: number;
}

/**
 * How often each key material may still encrypt (invariant 9). What is handed out was reserved in the catalog
 * before, in blocks: a crash, and a material that was not used for long, lose at most a block, and nothing is ever
 * handed out twice.
 */
export class EncryptionBudget implements EncryptionSpending {
  readonly #tools: EncryptionBudgetTools;
  readonly #capacity: number;
  /** By material id, those used last at the end. */
  readonly #blocks = new Map<string, MaterialBlock>();
  #mostUsed: EncryptionUse | undefined;

  constructor(tools: EncryptionBudgetTools) {
    this.#tools = tools;
    this.#capacity = tools.capacity ?? defaultCapacity;
  }

  trySpend(materialId: string): boolean {
    return this.#blockOf(materialId).take();
  }

  /** Waiters keep to their block, also when it is dropped meanwhile: what it holds is reserved for nobody else. */
  async spend(materialId: string): Promise<void> {
    const block = this.#blockOf(materialId);
    while (!block.take()) await block.reserve();
  }

  /** The material that is nearest to its end, of those that this process has encrypted under; for a metric. */
  get mostUsed(): EncryptionUse | undefined {
    return this.#mostUsed;
  }

  /** How many materials, of those that this process has encrypted under lately, are beyond the warning threshold. */
  warnedMaterials(): number {
    const threshold = this.#tools.warningThreshold ?? encryptionWarningThreshold;
    return [...this.#blocks.values()].filter((block) => block.reserved >= threshold).length;
  }

  #blockOf(materialId: string): MaterialBlock {
    const known = this.#blocks.get(materialId);
    // Who was used last matters only where somebody will soon have to go.
    if (known !== undefined && this.#blocks.size <= this.#capacity / 2) return known;
    this.#blocks.delete(materialId);
    const block = known ?? this.#newBlock(materialId);
    this.#blocks.set(materialId, block);
    this.#dropOldest();
    return block;
  }

  #newBlock(materialId: string): MaterialBlock {
    const size = this.#blocks.size < this.#capacity ? blockSize : crowdedBlockSize;
    return new MaterialBlock(this.#tools, materialId, size, (used) => this.#note(materialId, used));
  }

  #note(materialId: string, used: number): void {
    if (used < (this.#mostUsed?.used ?? 0)) return;
    this.#mostUsed = { materialId, used, limit: encryptionLimit };
  }

  #dropOldest(): void {
    for (const oldest of this.#blocks.keys()) {
      if (this.#blocks.size <= this.#capacity) return;
      this.#blocks.delete(oldest);
    }
  }
}

/** What is reserved and not spent of one material's budget. */
class MaterialBlock {
  readonly #tools: EncryptionBudgetTools;
  readonly #materialId: string;
  readonly #onReserved: (used: number) => void;
  #unspent = 0;
  #reserved = 0;
  /** Up to this much is reserved next. */
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

  /** By all processes, when this one reserved last. */
  get reserved(): number {
    return this.#reserved;
  }

  /** @returns whether there was one left. */
  take(): boolean {
    if (this.#unspent === 0) return false;
    this.#unspent -= 1;
    if (this.#unspent > 0 && this.#unspent <= this.#reserveAheadAt) this.#reserveAhead();
    return true;
  }

  /** One at a time; whoever comes meanwhile waits for the same. @throws KMS_INVALID_STATE when the budget is spent. */
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
      // The next try is when half of the rest is used, not with every encryption.
      this.#reserveAheadAt = Math.floor(this.#unspent / 2);
      this.#tools.onBackgroundError(error, 'reserving encryptions ahead');
    });
  }

  /** Up to a block, so that a crash never loses more. */
  async #fillUp(): Promise<void> {
    const size = this.#size;
    const count = size - this.#unspent;
    const total = await this.#tools.catalog.reserveEncryptions(this.#materialId, count);
    const allowed = Math.min(count, Math.max(0, encryptionLimit - (total - count)));
    this.#unspent += allowed;
    this.#reserveAheadAt = size / reserveAheadShare;
    this.#size = Math.min(blockSize, 2 * size);
    // Remembered, so that refused requests cost the catalog nothing.
    this.#isExhausted = total >= encryptionLimit;
    this.#reserved = total;
    this.#onReserved(total);
    const threshold = this.#tools.warningThreshold ?? encryptionWarningThreshold;
    if (total >= threshold) this.#tools.onWarning(this.#materialId, total, encryptionLimit);
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
