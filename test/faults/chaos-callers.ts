/** Callers of the chaos run: each checks its answers. */
import { randomBytes } from 'node:crypto';
import type { HoldfastClient } from '../e2e/client.js';
import { decrypt, expectSame, reasonOf, WrongResult } from './operations.js';
import { SeededRandom } from './seeded-random.js';

/** The results of all callers together. */
export class Tally {
  readonly answers = new Map<string, number>();
  readonly wrong: string[] = [];
  calls = 0;
  slowestMs = 0;

  count(answer: string, durationMs: number): void {
    this.calls += 1;
    this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1);
    this.slowestMs = Math.max(this.slowestMs, durationMs);
  }

  failures(): number {
    return this.calls - (this.answers.get('ok') ?? 0);
  }
}

interface Kept {
  ciphertext: unknown;
  plaintext: Uint8Array;
}

/** Ciphertexts that a caller returns to: from before the fault and from during it. */
const keptCiphertexts = 32;

/** One caller: encrypts, makes data keys, re-encrypts and decrypts what it has, one call after the other. */
export class ChaosCaller {
  readonly #client: HoldfastClient;
  readonly #keyIds: readonly string[];
  readonly #tally: Tally;
  readonly #random: SeededRandom;
  readonly #kept: Kept[] = [];

  constructor(client: HoldfastClient, keyIds: readonly string[], tally: Tally, seed: number) {
    this.#client = client;
    this.#keyIds = keyIds;
    this.#tally = tally;
    this.#random = new SeededRandom(seed);
  }

  /** Continues until `stopped` says so. */
  async run(stopped: () => boolean): Promise<void> {
    while (!stopped()) await this.#step();
  }

  /** Everything that it still has must be unchanged, now that all HSMs are well. */
  async checkAll(): Promise<void> {
    for (const kept of this.#kept) await this.#checked(() => this.#decrypt(kept));
  }

  #step(): Promise<void> {
    const choices = [() => this.#encrypt(), () => this.#dataKey(), () => this.#reEncrypt(), () => this.#random32()];
    const kept = this.#kept.length === 0 ? undefined : this.#random.pick(this.#kept);
    if (kept !== undefined && this.#random.next() < 0.5) return this.#checked(() => this.#decrypt(kept));
    return this.#checked(this.#random.pick(choices));
  }

  async #checked(work: () => Promise<void>): Promise<void> {
    const startMs = performance.now();
    let answer = 'ok';
    try {
      await work();
    } catch (error) {
      if (error instanceof WrongResult) this.#tally.wrong.push(error.message);
      answer = error instanceof WrongResult ? 'wrong' : reasonOf(error);
    }
    this.#tally.count(answer, performance.now() - startMs);
  }

  async #encrypt(): Promise<void> {
    const plaintext = randomBytes(1 + this.#random.below(256));
    const made = await this.#client.call('Encrypt', { key_id: this.#random.pick(this.#keyIds), plaintext });
    this.#keep({ ciphertext: made['ciphertext_blob'], plaintext });
  }

  async #dataKey(): Promise<void> {
    const request = { key_id: this.#random.pick(this.#keyIds), number_of_bytes: 32 };
    const made = await this.#client.call('GenerateDataKey', request);
    this.#keep({ ciphertext: made['ciphertext_blob'], plaintext: made['plaintext'] as Uint8Array });
  }

  async #reEncrypt(): Promise<void> {
    if (this.#kept.length === 0) return this.#encrypt();
    const { ciphertext, plaintext } = this.#random.pick(this.#kept);
    const request = { ciphertext_blob: ciphertext, destination_key_id: this.#random.pick(this.#keyIds) };
    const made = await this.#client.call('ReEncrypt', request);
    this.#keep({ ciphertext: made['ciphertext_blob'], plaintext });
  }

  async #random32(): Promise<void> {
    const { plaintext } = await this.#client.call('GenerateRandom', { number_of_bytes: 32 });
    if ((plaintext as Uint8Array | undefined)?.length !== 32) throw new WrongResult('Random bytes are missing.');
  }

  async #decrypt({ ciphertext, plaintext }: Kept): Promise<void> {
    expectSame('What was decrypted', await decrypt(this.#client, ciphertext), plaintext);
  }

  #keep(kept: Kept): void {
    if (this.#kept.length < keptCiphertexts) this.#kept.push(kept);
    else this.#kept[this.#random.below(keptCiphertexts)] = kept;
  }
}
